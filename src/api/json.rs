//! JSON values whose texts are borrowed from the body where they can be. Deep nesting is refused by the parser.

mod surrogates;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// A body is no JSON; where and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON: {0}")]
pub struct BadJson(String);

/// A number as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole number that is not negative.
    Whole(u64),
    /// A negative whole number.
    Negative(i64),
    /// Any other.
    Float(f64),
}

impl Number {
    /// The number when it is whole and not negative, also when written with a decimal point.
    pub fn as_whole(self) -> Option<u64> {
        match self {
            Number::Whole(number) => Some(number),
            Number::Float(number) if number >= 0.0 && number.fract() == 0.0 && number < 9e15 => {
                Some(number as u64)
            }
            Number::Negative(_) | Number::Float(_) => None,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(number) => write!(f, "{number}"),
            Number::Negative(number) => write!(f, "{number}"),
            // Rust writes floats without an exponent and without a needless ".0"; minus zero is zero.
            Number::Float(number) => write!(f, "{}", if *number == 0.0 { 0.0 } else { *number }),
        }
    }
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after JSON's kinds")]
pub enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// Members in their order; a name may occur twice, then the last one counts.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Parses a body. Escapes of half a character, which scripts make that cut a text in the middle of an emoji, become
    /// U+FFFD: a visit is worth more than a long title.
    ///
    /// # Errors
    /// It is no JSON; with the position of the fault.
    pub fn parse(body: &'a [u8]) -> Result<Self, BadJson> {
        let parse = |body| serde_json::from_slice(body).map_err(|error| BadJson(error.to_string()));
        parse(body).or_else(|error| match surrogates::mended(body) {
            Some(mended) => serde_json::from_slice::<Json<'_>>(&mended)
                .map(Json::into_owned)
                .map_err(|error| BadJson(error.to_string())),
            None => Err(error),
        })
    }

    /// Parses a body that is a list, and hands over each item of it in turn, with its place: only one of them is in memory
    /// at a time. Of a list of more than `items_max` only so many are handed over. Gives how many there are; `None`: it is no
    /// list. A body that must be mended first is begun anew, from place 0 on.
    ///
    /// # Errors
    /// As [`Self::parse`]; what was handed over until then means nothing.
    pub fn each_item(
        body: &'a [u8],
        items_max: usize,
        mut take: impl FnMut(usize, Json<'_>),
    ) -> Result<Option<usize>, BadJson> {
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            let mut reader = serde_json::Deserializer::from_slice(body);
            let count = reader.deserialize_seq(ItemsVisitor { items_max, take: &mut take });
            if let Ok(count) = count.and_then(|count| reader.end().map(|()| count)) {
                return Ok(Some(count));
            }
        }
        let Json::List(items) = Self::parse(body)? else { return Ok(None) };
        let count = items.len();
        items.into_iter().take(items_max).enumerate().for_each(|(place, item)| take(place, item));
        Ok(Some(count))
    }

    fn into_owned<'o>(self) -> Json<'o> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Json::Null => Json::Null,
            Json::Bool(value) => Json::Bool(value),
            Json::Number(number) => Json::Number(number),
            Json::Text(text) => Json::Text(owned(text)),
            Json::List(items) => Json::List(items.into_iter().map(Json::into_owned).collect()),
            Json::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (owned(name), value.into_owned()));
                Json::Object(members.collect())
            }
        }
    }

    /// What an object has under a name, `null` aside; of several of the same name the last one's.
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Json::Object(members) = self else { return None };
        member(members, name)
    }

    /// As [`Self::member`], without the rest.
    pub fn into_member(self, name: &str) -> Option<Self> {
        let Json::Object(members) = self else { return None };
        let value = members.into_iter().rev().find(|member| member.0 == name).map(|member| member.1);
        value.filter(|value| *value != Json::Null)
    }

    /// What is found by going from member to member.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.member(name))
    }

    /// A text, trimmed; empty for anything else.
    pub fn text(&self) -> &str {
        if let Json::Text(text) = self { text.trim() } else { "" }
    }

    /// A name that an object has twice, at any depth.
    pub fn repeated_name(&self) -> Option<&str> {
        match self {
            Json::List(items) => items.iter().find_map(Json::repeated_name),
            Json::Object(members) => {
                let mut names = HashSet::with_capacity(members.len());
                let twice = members.iter().map(|(name, _)| &**name).find(|name| !names.insert(*name));
                twice.or_else(|| members.iter().find_map(|(_, value)| value.repeated_name()))
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => None,
        }
    }
}

/// The value of a member of these, `null` aside; of several of the same name the last one's.
pub fn member<'j, 'a>(members: &'j [(Cow<'a, str>, Json<'a>)], name: &str) -> Option<&'j Json<'a>> {
    let value = members.iter().rev().find(|member| member.0 == name).map(|member| &member.1);
    value.filter(|value| **value != Json::Null)
}

/// As JSON text.
impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(Number::Whole(number)) => serializer.serialize_u64(*number),
            Json::Number(Number::Negative(number)) => serializer.serialize_i64(*number),
            Json::Number(Number::Float(number)) => serializer.serialize_f64(*number),
            Json::Text(text) => serializer.serialize_str(text),
            Json::List(items) => serializer.collect_seq(items),
            Json::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(Number::Whole(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(u64::try_from(value).map_or(Number::Negative(value), Number::Whole)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Json::Number(Number::Float(value)))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Vec::new();
        while let Some((Name(name), value)) = members.next_entry()? {
            object.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

/// Hands over the items of a list, and gives how many there are.
struct ItemsVisitor<'t, F> {
    items_max: usize,
    take: &'t mut F,
}

impl<'de, F: FnMut(usize, Json<'_>)> Visitor<'de> for ItemsVisitor<'_, F> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut count = 0;
        while count < self.items_max {
            let Some(item) = items.next_element::<Json<'_>>()? else { return Ok(count) };
            (self.take)(count, item);
            count += 1;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

/// A member's name, borrowed where it can be (a plain `Cow` never is).
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(value.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_plainly() {
        let table = [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("42", "42"),
            ("-7", "-7"),
            ("3.0", "3"),
            ("0.1", "0.1"),
            ("1e3", "1000"),
            ("1e21", "1000000000000000000000"),
            ("1e-7", "0.0000001"),
            ("18446744073709551615", "18446744073709551615"),
        ];
        for (text, want) in table {
            match Json::parse(text.as_bytes()) {
                Ok(Json::Number(number)) => assert_eq!(number.to_string(), want, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn faults_have_a_position_and_depth_is_bounded() {
        for body in [&b"{"[..], b"", b"{\"a\":1,}", b"\"\xff\"", b"{} {}", b"{\"a\":\"\xc3\"}"] {
            let error = Json::parse(body).unwrap_err();
            assert!(error.to_string().contains("line 1 column"), "{error}");
        }
        let deep = "[".repeat(100_000);
        assert!(Json::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn half_an_emoji_costs_no_more_than_itself() {
        for (body, wanted) in [
            (r#""a\ud83c""#, "a\u{fffd}"),
            (r#""\ud83c b""#, "\u{fffd} b"),
            (r#""\uDF89\ud83c\udf89\uD83C\ud83c\udf89""#, "\u{fffd}🎉\u{fffd}🎉"),
            (r#""\\ud83c \ud83c\n""#, "\\ud83c \u{fffd}\n"),
        ] {
            assert_eq!(Json::parse(body.as_bytes()), Ok(Json::Text(wanted.into())), "{body}");
        }
        let json = Json::parse(br#"{"\ud83c":[{"t":"\udf89","n":1,"x":null}]}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&json).unwrap(),
            "{\"\u{fffd}\":[{\"t\":\"\u{fffd}\",\"n\":1,\"x\":null}]}"
        );
        let error = Json::parse(br#"{"t":"\ud83c",}"#).unwrap_err().to_string();
        assert!(error.ends_with("line 1 column 15"), "{error}");
    }

    #[test]
    fn items_are_handed_over_as_the_whole_list_has_them() {
        let handed = |text: &str| {
            let mut items = Vec::new();
            let count = Json::each_item(text.as_bytes(), 3, |place, item| {
                items.truncate(place);
                items.push(item.into_owned());
            });
            count.map(|count| count.map(|count| (count, items)))
        };
        for text in [
            "[]",
            " [1]\n",
            r#"[{"a":["\u00e9"]},null,"x",{"b":4},5]"#,
            r#"["\ud83c",{"a":"\udf89"}]"#,
            "{}",
            " 7",
            "[1,]",
            "[1,2,3,4,]",
            "[1] 2",
            "[",
            "",
        ] {
            let wanted = Json::parse(text.as_bytes()).map(|json| match json {
                Json::List(items) => Some((items.len(), items.into_iter().take(3).collect())),
                _ => None,
            });
            assert_eq!(handed(text), wanted, "{text}");
        }
    }

    #[test]
    fn members_are_found_by_their_way() {
        let text = br#"{"a":{"b":" x ","n":null,"b2":1},"t":"old","t":"new","l":[]}"#;
        let json = Json::parse(text).unwrap();
        let at = |path: &[&str]| json.at(path).map(Json::text);
        assert_eq!((at(&["a", "b"]), at(&["a", "b2"]), at(&["t"])), (Some("x"), Some(""), Some("new")));
        for nothing in [&["a", "n"][..], &["b"], &["l", "b"], &["a", "b", "c"]] {
            assert_eq!(at(nothing), None, "{nothing:?}");
        }
        assert_eq!(json.clone().into_member("t"), Some(Json::Text("new".into())));
        assert_eq!(json.member("a").and_then(|a| a.clone().into_member("n")), None);
    }

    #[test]
    fn names_that_come_twice_are_found() {
        let table = [
            (r#"{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}"#, None),
            (r#"{"a":1,"b":2,"a":3}"#, Some("a")),
            (r#"{"a":1,"\u0061":3}"#, Some("a")),
            (r#"{"a":[{"b":{"c":1,"c":1}}]}"#, Some("c")),
            ("[]", None),
        ];
        for (text, wanted) in table {
            assert_eq!(Json::parse(text.as_bytes()).unwrap().repeated_name(), wanted, "{text}");
        }
    }

    #[test]
    fn json_is_written_as_it_was_read() {
        let text = r#"{"a":[1,-2,0.5,true,null,"\"é"],"b":{}}"#;
        assert_eq!(serde_json::to_string(&Json::parse(text.as_bytes()).unwrap()).unwrap(), text);
    }

    #[test]
    fn texts_are_borrowed_unless_escaped() {
        let Ok(Json::List(list)) = Json::parse(b"[\"plain\",\"\\u00e9\"]") else { panic!("no list") };
        assert!(matches!(list[0], Json::Text(Cow::Borrowed("plain"))));
        assert_eq!(list[1], Json::Text(Cow::Owned("é".into())));
    }
}
