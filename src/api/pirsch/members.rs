//! The body of a call that manages something: one JSON object whose members are taken by name. Members that nobody
//! asks for are ignored, `null` is as good as absent, and a member of the wrong type is named.

use std::borrow::Cow;

use crate::api::json::{self, Json, Number};
use crate::api::pirsch::error::ApiError;

/// The members of a body.
#[derive(Debug)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Members<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// 400: it is no JSON object.
    pub fn parse(body: &'a [u8]) -> Result<Self, ApiError> {
        match Json::parse(body)? {
            Json::Object(members) => Ok(Self(members)),
            _ => Err(ApiError::bad("expected a JSON object")),
        }
    }

    /// The member's value; of several of the same name the last one's.
    fn get(&self, name: &str) -> Option<&Json<'a>> {
        json::member(&self.0, name)
    }

    /// Whether there is such a member.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A text; the empty one is as good as absent.
    ///
    /// # Errors
    /// 400: it is something else.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(&**text).filter(|text| !text.is_empty())),
            Some(_) => Err(ApiError::field(name, "must be a string")),
        }
    }

    /// A text that must be given.
    ///
    /// # Errors
    /// 400: it is missing, empty or something else.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name)?.ok_or_else(|| ApiError::field(name, "is required"))
    }

    /// True or false.
    ///
    /// # Errors
    /// 400: it is something else.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(ApiError::field(name, "must be true or false")),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// 400: it is something else.
    pub fn whole(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Json::Number(number)) => number.as_whole(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| ApiError::field(name, "must be a whole number from 0"))
    }

    /// A number.
    ///
    /// # Errors
    /// 400: it is something else.
    pub fn number(&self, name: &str) -> Result<Option<f64>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Number(Number::Whole(number))) => Ok(Some(*number as f64)),
            Some(Json::Number(Number::Negative(number))) => Ok(Some(*number as f64)),
            Some(Json::Number(Number::Float(number))) => Ok(Some(*number)),
            Some(_) => Err(ApiError::field(name, "must be a number")),
        }
    }

    /// A list of texts.
    ///
    /// # Errors
    /// 400: it is something else.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let wrong = || ApiError::field(name, "must be an array of strings");
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Json::List(items)) => {
                let texts = items.iter().map(|item| match item {
                    Json::Text(text) => Ok(text.to_string()),
                    _ => Err(wrong()),
                });
                texts.collect()
            }
            Some(_) => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        br#"{"t":"x","empty":"","n":null,"b":true,"w":3.0,"f":-1.5,"l":["a","b"],"o":{},"t":"y"}"#;

    #[test]
    fn members_are_taken_by_name_and_type() {
        let members = Members::parse(BODY).unwrap();
        assert_eq!(members.text("t").unwrap(), Some("y"), "the last one counts");
        for absent in ["empty", "n", "none"] {
            assert_eq!(members.text(absent).unwrap(), None, "{absent}");
            assert_eq!(members.required(absent).unwrap_err().validation[absent], "is required");
        }
        assert_eq!(members.switch("b").unwrap(), Some(true));
        assert_eq!((members.whole("w").unwrap(), members.number("w").unwrap()), (Some(3), Some(3.0)));
        assert_eq!(members.number("f").unwrap(), Some(-1.5));
        assert_eq!(members.texts("l").unwrap(), ["a", "b"]);
        assert!(members.has("o") && !members.has("n"));
    }

    #[test]
    fn wrong_types_are_named() {
        let members = Members::parse(BODY).unwrap();
        let faults = [
            members.text("b").map(drop).unwrap_err(),
            members.switch("t").map(drop).unwrap_err(),
            members.whole("f").map(drop).unwrap_err(),
            members.number("t").map(drop).unwrap_err(),
            members.texts("o").map(drop).unwrap_err(),
        ];
        let names: Vec<&String> = faults.iter().flat_map(|fault| fault.validation.keys()).collect();
        assert_eq!(names, ["b", "t", "f", "t", "o"]);
        assert!(faults.iter().all(|fault| fault.status == 400));
        for body in [&b"[]"[..], b"", b"{", b"1"] {
            assert_eq!(Members::parse(body).unwrap_err().status, 400);
        }
    }
}
