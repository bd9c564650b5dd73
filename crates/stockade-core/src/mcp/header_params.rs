//! Which arguments of a tool its server wants mirrored in headers (`x-mcp-header`, MCP 2026-07-28, SEP-2243).
//!
//! For: finding the annotations of a tool's `inputSchema`, or the reason to leave the tool out of its list (EV-13).
//! Must never: let a server choose a header outside `Mcp-Param-*`.

use crate::wire::{Kind, Value, folds_to};

const ANNOTATION: &str = "x-mcp-header";
/// The longest name after `Mcp-Param-`, in bytes.
const NAME_BYTES: usize = 128;
/// The most mirrored arguments of one tool.
const PARAMS: usize = 64;
/// Keywords whose values are data and no schemas (JSON Schema 2020-12).
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// One argument that is mirrored as `Mcp-Param-{header_name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderParam {
    /// What stands after `Mcp-Param-`: a token (RFC 9110 §5.6.2).
    pub header_name: String,
    /// The way to the argument, from `arguments`, member by member.
    pub path: Vec<String>,
    /// What the argument is.
    pub kind: HeaderParamType,
}

/// What a mirrored argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of JSON Schema")]
pub enum HeaderParamType {
    String,
    Integer,
    Boolean,
}

/// Why a tool's annotations are refused, and with them the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeaderParam {
    /// The name is no token, empty or longer than 128 bytes.
    #[error("`x-mcp-header` is not a token of 1 to 128 characters")]
    NotToken,
    /// Two names are the same but for the case of letters.
    #[error("two arguments have the same `x-mcp-header`")]
    Duplicate,
    /// The annotation stands where `properties` alone do not lead.
    #[error("`x-mcp-header` is not on a property reached by `properties` alone")]
    Unreachable,
    /// The argument's `type` is not `string`, `integer` or `boolean`.
    #[error("`x-mcp-header` on an argument that is not string, integer or boolean")]
    WrongType,
    /// A keyword looks like the annotation and is not it.
    #[error("a keyword looks like `x-mcp-header` and is not it")]
    LookAlike,
    /// More than 64 annotations.
    #[error("more than 64 arguments have an `x-mcp-header`")]
    TooMany,
}

impl HeaderParam {
    /// True if the name of the header or of the argument speaks of a secret. Mirroring one puts it into every proxy's log.
    #[must_use]
    pub fn suggests_secret(&self) -> bool {
        const WORDS: [&str; 8] =
            ["secret", "password", "passwd", "token", "apikey", "credential", "privatekey", "authorization"];
        let plain = |name: &str| {
            name.chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|letter| letter.to_ascii_lowercase())
                .collect::<String>()
        };
        let names = std::iter::once(&self.header_name).chain(self.path.last()).map(|name| plain(name));
        names.into_iter().any(|name| WORDS.iter().any(|word| name.contains(word)))
    }

    /// True if the decoded header `said` stands for `argument`: integers by value, everything else by text.
    #[must_use]
    pub fn matches(&self, said: &str, argument: Value<'_>) -> bool {
        match (self.kind, argument.kind()) {
            (HeaderParamType::String, Kind::String) => argument.as_str().is_some_and(|text| text == said),
            (HeaderParamType::Boolean, Kind::Bool) => argument.raw() == said,
            (HeaderParamType::Integer, Kind::Number) => same_integer(said, argument.raw()),
            _ => false,
        }
    }
}

/// The mirrored arguments of a tool, in the order of its schema.
///
/// # Errors
/// The first annotation that breaks a rule.
pub fn header_params(input_schema: Value<'_>) -> Result<Vec<HeaderParam>, InvalidHeaderParam> {
    let mut found = Vec::new();
    if input_schema.get(ANNOTATION).is_some() {
        return Err(InvalidHeaderParam::Unreachable);
    }
    walk(input_schema, Some(&mut Vec::new()), &mut found)?;
    Ok(found)
}

/// Walks a schema. `path` is there while `properties` alone have led here. Recursion is safe: the reader has limited the
/// depth to `WireLimits::DEPTH_CEILING`.
fn walk(
    schema: Value<'_>,
    mut path: Option<&mut Vec<String>>,
    found: &mut Vec<HeaderParam>,
) -> Result<(), InvalidHeaderParam> {
    if let Some(array) = schema.as_array() {
        return array.elements().try_for_each(|element| walk(element, None, found));
    }
    for (name, value) in schema.as_object().into_iter().flat_map(|object| object.members()) {
        match name.as_ref() {
            ANNOTATION => {
                let path = path.as_deref().ok_or(InvalidHeaderParam::Unreachable)?;
                add(schema, value, path, found)?;
            }
            "properties" => {
                for (property, inner) in value.as_object().into_iter().flat_map(|object| object.members()) {
                    match path.as_deref_mut() {
                        Some(path) => {
                            path.push(property.into_owned());
                            walk(inner, Some(path), found)?;
                            path.pop();
                        }
                        None => walk(inner, None, found)?,
                    }
                }
            }
            // Their members are names of the server's choice, and each value is a schema.
            "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                let object = value.as_object().into_iter();
                object.flat_map(|object| object.members()).try_for_each(|(_, inner)| walk(inner, None, found))?;
            }
            keyword if folds_to(keyword, ANNOTATION) => return Err(InvalidHeaderParam::LookAlike),
            keyword if DATA.contains(&keyword) => {}
            _ => walk(value, None, found)?,
        }
    }
    Ok(())
}

fn add(
    schema: Value<'_>,
    annotation: Value<'_>,
    path: &[String],
    found: &mut Vec<HeaderParam>,
) -> Result<(), InvalidHeaderParam> {
    let name = annotation.as_str().filter(|name| is_token(name)).ok_or(InvalidHeaderParam::NotToken)?;
    let kind = match schema.get("type").and_then(Value::as_str).as_deref() {
        Some("string") => HeaderParamType::String,
        Some("integer") => HeaderParamType::Integer,
        Some("boolean") => HeaderParamType::Boolean,
        _ => return Err(InvalidHeaderParam::WrongType),
    };
    if found.iter().any(|earlier| earlier.header_name.eq_ignore_ascii_case(&name)) {
        return Err(InvalidHeaderParam::Duplicate);
    }
    if found.len() >= PARAMS {
        return Err(InvalidHeaderParam::TooMany);
    }
    found.push(HeaderParam { header_name: name.into_owned(), path: path.to_vec(), kind });
    Ok(())
}

/// RFC 9110 §5.6.2, with a limit.
fn is_token(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(is_letter)
}

/// Compares by value where both are integers that every reader keeps exact, else by text.
fn same_integer(said: &str, written: &str) -> bool {
    /// Beyond this a double no longer tells two integers apart (RFC 8259 §6).
    const EXACT: f64 = 9_007_199_254_740_991.0;
    let decimal = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
    };
    let exact = |text: &str| text.parse::<f64>().ok().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT);
    if said == written {
        return true;
    }
    decimal(said)
        && matches!((exact(said), exact(written)), (Some(one), Some(other)) if one.total_cmp(&other).is_eq() || one == 0.0 && other == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Document, WireLimits};
    use bytes::Bytes;

    fn read(text: &str) -> Document {
        Document::read(Bytes::from(text.to_owned()), &WireLimits::DEFAULT).unwrap()
    }

    fn refused(schema: &str, expected: InvalidHeaderParam) {
        assert_eq!(header_params(read(schema).root()), Err(expected), "{schema}");
    }

    #[test]
    fn annotations_are_found_along_properties() {
        let schema = r#"{"type":"object","properties":{
            "region":{"type":"string","x-mcp-header":"Region"},
            "x-mcp-header":{"type":"string"},
            "deep":{"type":"object","properties":{"on":{"type":"boolean","x-mcp-header":"On"}}},
            "n":{"type":"integer","x-mcp-header":"N","default":{"x-mcp-header":"data"}}}}"#;
        let found = header_params(read(schema).root()).unwrap();
        let names: Vec<_> =
            found.iter().map(|param| (param.header_name.as_str(), param.path.join("/"), param.kind)).collect();
        assert_eq!(
            names,
            [
                ("Region", "region".to_owned(), HeaderParamType::String),
                ("On", "deep/on".to_owned(), HeaderParamType::Boolean),
                ("N", "n".to_owned(), HeaderParamType::Integer),
            ]
        );
    }

    /// EV-13.
    #[test]
    fn hostile_annotations_are_refused() {
        let on =
            |name: &str, kind: &str| format!(r#"{{"properties":{{"a":{{"type":"{kind}","x-mcp-header":{name}}}}}}}"#);
        for name in [r#""""#, r#""Authorization\r\nX-A""#, r#""a b""#, "1", "null", r#""größe""#] {
            refused(&on(name, "string"), InvalidHeaderParam::NotToken);
        }
        refused(&on(&format!("\"{}\"", "x".repeat(129)), "string"), InvalidHeaderParam::NotToken);
        for kind in ["number", "object", "array", "null"] {
            refused(&on(r#""A""#, kind), InvalidHeaderParam::WrongType);
        }
        for schema in [
            r##"{"properties":{"a":{"$ref":"#/$defs/b","x-mcp-header":"Host"}}}"##,
            r#"{"properties":{"a":{"type":["string","null"],"x-mcp-header":"A"}}}"#,
        ] {
            refused(schema, InvalidHeaderParam::WrongType);
        }
        for schema in [
            r#"{"type":"string","x-mcp-header":"A"}"#,
            r#"{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}"#,
            r#"{"$defs":{"b":{"type":"string","x-mcp-header":"A"}}}"#,
            r#"{"anyOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}"#,
            r#"{"additionalProperties":{"type":"string","x-mcp-header":"A"}}"#,
        ] {
            refused(schema, InvalidHeaderParam::Unreachable);
        }
        refused(
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"Region"},"b":{"type":"string","x-mcp-header":"REGION"}}}"#,
            InvalidHeaderParam::Duplicate,
        );
        refused(r#"{"properties":{"a":{"type":"string","X-MCP-Header":"A"}}}"#, InvalidHeaderParam::LookAlike);
        let many = |count: usize| {
            let each = |n| format!(r#""p{n}":{{"type":"string","x-mcp-header":"P{n}"}}"#);
            format!("{{\"properties\":{{{}}}}}", (0..count).map(each).collect::<Vec<_>>().join(","))
        };
        assert_eq!(header_params(read(&many(64)).root()).unwrap().len(), 64);
        refused(&many(65), InvalidHeaderParam::TooMany);
    }

    #[test]
    fn a_header_matches_its_argument_by_value() {
        let check = |kind, said: &str, argument: &str, expected: bool| {
            let param = HeaderParam { header_name: "A".into(), path: vec!["a".into()], kind };
            assert_eq!(param.matches(said, read(argument).root()), expected, "{said:?} {argument}");
        };
        check(HeaderParamType::String, "a", r#""\u0061""#, true);
        check(HeaderParamType::String, "1", "1", false);
        check(HeaderParamType::Boolean, "true", "true", true);
        check(HeaderParamType::Boolean, "True", "true", false);
        for (said, argument, expected) in [
            ("42", "42", true),
            ("42", "42.0", true),
            ("42", "4.2e1", true),
            ("042", "42", true),
            ("0", "-0", true),
            ("42", "43", false),
            ("", "0", false),
            ("inf", "1", false),
            ("9007199254740993", "9007199254740992", false),
            ("9007199254740993", "9007199254740993", true),
        ] {
            check(HeaderParamType::Integer, said, argument, expected);
        }
    }

    #[test]
    fn names_that_suggest_a_secret_are_told() {
        let param = |name: &str, path: &str| HeaderParam {
            header_name: name.into(),
            path: vec![path.into()],
            kind: HeaderParamType::String,
        };
        assert!(param("A", "api_key").suggests_secret());
        assert!(param("X-Password", "a").suggests_secret());
        assert!(!param("Region", "region").suggests_secret());
    }
}
