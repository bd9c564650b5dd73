//! The protected resource metadata of RFC 9728: which authorization servers a client may ask for a token.
//!
//! Must never: name a server, a tool or a version; be there when there is nobody to ask for a token.
//! Source: RFC 9728 §2 and §3.1, MCP 2026-07-28 `basic/authorization` "Protected Resource Metadata".

use super::challenge::METADATA_PATH;
use super::site::{Site, SiteAccess, SiteAnswer, SiteRequest, SiteRoute};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use stockade_core::ports::PortFuture;
use stockade_core::words::ServerName;

/// Requests of one address in a minute: a client asks once.
const PER_MINUTE: u32 = 120;

/// What the metadata says.
#[derive(Debug, Clone)]
pub struct ResourceMetadata {
    /// The canonical URI of the merged route.
    pub resource: String,
    /// The issuers of the authorization servers.
    pub authorization_servers: Vec<String>,
    /// The scopes worth asking for first; `offline_access` is none of them.
    pub scopes: Vec<String>,
    /// True if tokens must be bound to a key (RFC 9449).
    pub requires_dpop: bool,
    /// The servers that have a route of their own.
    pub servers: Vec<ServerName>,
}

/// Serves the metadata: one document at the root and at `/mcp`, one for each server's route.
pub struct ResourceSite {
    metadata: ResourceMetadata,
    routes: Vec<SiteRoute>,
}

impl ResourceSite {
    /// A site, or nothing where no authorization server is configured.
    #[must_use]
    pub fn new(metadata: ResourceMetadata) -> Option<Self> {
        if metadata.authorization_servers.is_empty() {
            return None;
        }
        let route = |path: String| SiteRoute {
            method: Method::GET,
            path,
            access: SiteAccess::Public("a client without a token must learn where to get one (RFC 9728 §3)"),
            per_minute: PER_MINUTE,
        };
        let paths = [METADATA_PATH.to_owned(), format!("{METADATA_PATH}/mcp"), format!("{METADATA_PATH}/mcp/*")];
        Some(Self { metadata, routes: paths.into_iter().map(route).collect() })
    }

    /// The document for the resource whose path stands in `path`. Every server's name that could be one is answered alike, so
    /// that nobody learns which there are.
    fn document(&self, path: &str) -> Option<Bytes> {
        let metadata = &self.metadata;
        let rest = path.strip_prefix(METADATA_PATH)?;
        let resource = match rest {
            "" | "/mcp" => metadata.resource.clone(),
            rest => {
                let server = ServerName::parse(rest.strip_prefix("/mcp/")?).ok()?;
                format!("{}/{server}", metadata.resource)
            }
        };
        let quoted = |text: &str| {
            let mut out = Vec::with_capacity(text.len() + 2);
            stockade_core::wire::push_json_string(&mut out, text);
            String::from_utf8(out).unwrap_or_default()
        };
        let list = |texts: &[String]| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(",");
        let mut document = format!(
            "{{\"resource\":{},\"authorization_servers\":[{}],\"bearer_methods_supported\":[\"header\"]",
            quoted(&resource),
            list(&metadata.authorization_servers)
        );
        if !metadata.scopes.is_empty() {
            document.push_str(&format!(",\"scopes_supported\":[{}]", list(&metadata.scopes)));
        }
        if metadata.requires_dpop {
            document.push_str(
                ",\"dpop_bound_access_tokens_required\":true,\"dpop_signing_alg_values_supported\":[\"ES256\",\"EdDSA\",\"RS256\",\"PS256\"]",
            );
        }
        document.push('}');
        Some(Bytes::from(document))
    }
}

impl Site for ResourceSite {
    fn routes(&self) -> &[SiteRoute] {
        &self.routes
    }

    fn answer(&self, request: SiteRequest) -> PortFuture<'_, SiteAnswer> {
        let document = self.document(&request.path);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (status, body, event) = match document {
            Some(document) => (StatusCode::OK, document, "resource-metadata"),
            None => (StatusCode::NOT_FOUND, Bytes::new(), "resource-metadata-unknown"),
        };
        Box::pin(std::future::ready(SiteAnswer { status, headers, body, event }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> ResourceSite {
        ResourceSite::new(ResourceMetadata {
            resource: "https://gw.test/mcp".to_owned(),
            authorization_servers: vec!["https://as.test".to_owned()],
            scopes: vec!["mcp".to_owned()],
            requires_dpop: false,
            servers: Vec::new(),
        })
        .unwrap()
    }

    #[test]
    fn the_document_names_the_resource_that_was_asked_for() {
        for (path, resource) in [
            ("/.well-known/oauth-protected-resource", Some("https://gw.test/mcp")),
            ("/.well-known/oauth-protected-resource/mcp", Some("https://gw.test/mcp")),
            ("/.well-known/oauth-protected-resource/mcp/files", Some("https://gw.test/mcp/files")),
            ("/.well-known/oauth-protected-resource/mcp/no..pe", None),
            ("/.well-known/oauth-protected-resource/other", None),
        ] {
            let document = site().document(path);
            assert_eq!(document.is_some(), resource.is_some(), "{path}");
            if let Some(document) = document {
                let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
                assert_eq!(document["resource"].as_str(), resource);
                assert_eq!(document["authorization_servers"][0], "https://as.test");
            }
        }
    }
}
