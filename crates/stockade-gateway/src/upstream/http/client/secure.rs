//! The part of the client that speaks TLS, made when it is first needed and made anew when its files change.
//!
//! Must never: go on without a certificate that was configured; drop what works because what replaces it does not.

use super::{Timed, build, describe, tcp};
use crate::tls::{Reloaded, Trouble, UpstreamTls, UpstreamTlsError};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use std::sync::{Arc, Weak};
use std::time::Duration;
use stockade_core::ports::UpstreamError;
use stockade_core::wire::Digest;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type HttpsClient = Client<Timed<HttpsConnector<HttpConnector>>, Full<Bytes>>;

/// A client for `https`.
pub(super) struct Secure {
    tls: UpstreamTls,
    /// Made at the first `https` request: reading the system's roots takes milliseconds that `wrap` has not.
    made: OnceCell<Made>,
}

struct Made {
    current: Arc<ArcSwap<HttpsClient>>,
    /// Ends with us.
    watching: Option<JoinHandle<()>>,
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(watching) = &self.watching {
            watching.abort();
        }
    }
}

impl Secure {
    pub(super) fn new(tls: UpstreamTls) -> Self {
        Self { tls, made: OnceCell::new() }
    }

    /// The client as the files are now, or were a second ago.
    pub(super) async fn client(&self) -> Result<HttpsClient, UpstreamError> {
        let made = self.made.get_or_try_init(|| self.make()).await?;
        Ok(HttpsClient::clone(&made.current.load()))
    }

    async fn make(&self) -> Result<Made, UpstreamError> {
        let (digest, client) = read(&self.tls).await.map_err(|reason| UpstreamError::Unavailable { reason })?;
        let current = Arc::new(ArcSwap::from_pointee(client));
        let watching = self.tls.has_files().then(|| {
            let watched = Arc::downgrade(&current);
            tokio::spawn(watch(self.tls.clone(), digest, watched))
        });
        Ok(Made { current, watching })
    }
}

/// Reads the files, away from the threads that serve.
async fn read(tls: &UpstreamTls) -> Result<(Digest, HttpsClient), String> {
    let tls = tls.clone();
    let reading = tokio::task::spawn_blocking(move || {
        // The digest first: what is written between the two is seen at the next look.
        let digest = tls.digest()?;
        let config = tls.client_config()?;
        let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
        Ok((digest, build(Timed(builder.wrap_connector(tcp(false))))))
    });
    let read: Result<_, UpstreamTlsError> = reading.await.map_err(|error| error.to_string())?;
    read.map_err(|error| describe(&error))
}

/// Looks at the files for as long as somebody uses the client. Requests in flight end on the connections that they have.
async fn watch(tls: UpstreamTls, mut digest: Digest, watched: Weak<ArcSwap<HttpsClient>>) {
    let mut trouble = Trouble::default();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(current) = watched.upgrade() else { return };
        let looking = tls.clone();
        let Ok(looked) = tokio::task::spawn_blocking(move || looking.digest()).await else { continue };
        let reloaded = match looked {
            Ok(now) if now == digest => Ok(Reloaded::Unchanged),
            Ok(_) => read(&tls).await.map(|(now, client)| {
                digest = now;
                current.store(Arc::new(client));
                Reloaded::Replaced
            }),
            Err(error) => Err(describe(&error)),
        };
        trouble.tell("an upstream", reloaded);
    }
}
