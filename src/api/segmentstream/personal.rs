//! What messages say of people: their names, addresses of mail and numbers of telephones are read over, however their
//! members are spelt and wherever they stand.

use std::borrow::Cow;

use crate::api::json::Json;

/// Members of an object, in its order.
pub type Members<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// Parts of members' names that are always a person's.
const PARTS: [&str; 7] = ["email", "firstname", "lastname", "fullname", "givenname", "familyname", "surname"];
/// Members whose `name` is a person's.
const PEOPLE: [&str; 7] = ["user", "customer", "billing", "shipping", "contact", "person", "recipient"];
/// What stands between a person and the name.
const WRAPPERS: [&str; 5] = ["address", "details", "info", "profile", "data"];
/// Things that are sold.
const GADGETS: [&str; 6] = ["headphone", "earphone", "smartphone", "iphone", "microphone", "megaphone"];
/// Characters of an address of mail; the standard has no longer ones.
const MAIL_CHARS_MAX: usize = 320;

/// The members without what is said of people.
pub fn without(members: Members<'_>) -> Members<'_> {
    kept(members, false)
}

fn kept<'a>(members: Members<'a>, of_person: bool) -> Members<'a> {
    let keep = |(name, value): (Cow<'a, str>, Json<'a>)| {
        let mut of_person = of_person;
        // Some write the path to a member as its name.
        let (above, last) = name.rsplit_once('.').unwrap_or(("", &name));
        for part in above.split('.').filter(|part| !part.is_empty()) {
            of_person = is_person(&normal(part), of_person);
        }
        let last = normal(last);
        if is_personal(&last, of_person) {
            return None;
        }
        Some((name, kept_value(value, is_person(&last, of_person))?))
    };
    members.into_iter().filter_map(keep).collect()
}

fn kept_value(value: Json<'_>, of_person: bool) -> Option<Json<'_>> {
    match value {
        Json::Object(members) => Some(Json::Object(kept(members, of_person))),
        Json::List(items) => {
            Some(Json::List(items.into_iter().filter_map(|item| kept_value(item, of_person)).collect()))
        }
        Json::Text(text) if is_mail(&text) => None,
        other => Some(other),
    }
}

/// The name without what spellings differ in.
fn normal(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether what is beneath a member is a person's; `is_above`: so is the member itself.
fn is_person(name: &str, is_above: bool) -> bool {
    let bare = name.strip_suffix('s').unwrap_or(name);
    let (person, is_wrapped) = WRAPPERS
        .iter()
        .find_map(|wrapper| bare.strip_suffix(wrapper).or_else(|| name.strip_suffix(wrapper)))
        .map_or((bare, false), |rest| (rest, true));
    PEOPLE.iter().any(|people| person.ends_with(people)) || (is_wrapped && person.is_empty() && is_above)
}

fn is_personal(name: &str, of_person: bool) -> bool {
    let of_a_person =
        |rest: &str| (rest.is_empty() && of_person) || PEOPLE.iter().any(|who| rest.ends_with(who));
    PARTS.iter().any(|part| name.contains(part))
        || matches!(name, "mail" | "mailaddress")
        || name.strip_suffix("name").is_some_and(of_a_person)
        || is_telephone(name)
}

fn is_telephone(name: &str) -> bool {
    let number = ["number", "no", "nr"].iter().find_map(|end| name.strip_suffix(end));
    let line = number.unwrap_or(name);
    (line.ends_with("phone") && !GADGETS.iter().any(|gadget| line.ends_with(gadget)))
        || matches!(line, "tel")
        || (number.is_some() && line.ends_with("mobile"))
}

/// Whether a text is an address of mail and nothing else.
fn is_mail(text: &str) -> bool {
    let text = text.trim();
    let address =
        text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).map_or(text, |_| &text[7..]);
    let Some((name, host)) = address.rsplit_once('@') else { return false };
    let is_plain = |char: char| !char.is_whitespace() && !matches!(char, '/' | '<' | '>' | ',' | ';' | ':');
    !name.is_empty()
        && address.len() <= MAIL_CHARS_MAX
        && address.chars().all(is_plain)
        && host.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        let Json::Object(members) = Json::parse(text.as_bytes()).unwrap() else {
            panic!("no object: {text}")
        };
        serde_json::to_string(&Json::Object(without(members))).unwrap()
    }

    #[test]
    fn people_are_left_out_however_they_are_spelt() {
        for text in [
            r#"{"email":"x"}"#,
            r#"{"EMAIL":"x"}"#,
            r#"{"e-mail":"x"}"#,
            r#"{"E_Mail":"x"}"#,
            r#"{"mail":"x"}"#,
            r#"{"customerEmail":"x"}"#,
            r#"{"user_email":["x"]}"#,
            r#"{"emailHash":"x"}"#,
            r#"{"billing.Email":"x"}"#,
            r#"{"first_name":"x"}"#,
            r#"{"billingLastName":"x"}"#,
            r#"{"Full Name":"x"}"#,
            r#"{"phone":"x"}"#,
            r#"{"phone-number":1}"#,
            r#"{"billingPhone":"x"}"#,
            r#"{"telephone":"x"}"#,
            r#"{"mobileNumber":"x"}"#,
            r#"{"mobile_phone_no":"x"}"#,
            r#"{"billing.name":"John Doe"}"#,
            r#"{"customerName":"John Doe"}"#,
            r#"{"order.customer.name":"John Doe"}"#,
            r#"{"note":"a@b.test"}"#,
            r#"{"note":" mailto:A.B+c@mail.b.test "}"#,
        ] {
            assert_eq!(of(text), "{}", "{text}");
        }
        for (text, wanted) in [
            (r#"{"billing":{"Name":"x","city":"y"}}"#, r#"{"billing":{"city":"y"}}"#),
            (r#"{"billing":{"address":{"name":"x"}}}"#, r#"{"billing":{"address":{}}}"#),
            (r#"{"shippingAddress":{"name":"x"}}"#, r#"{"shippingAddress":{}}"#),
            (r#"{"recipients":[{"name":"x","n":1},"a@b.test"]}"#, r#"{"recipients":[{"n":1}]}"#),
            (r#"{"primaryContact":{"details":{"name":"x"}}}"#, r#"{"primaryContact":{"details":{}}}"#),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
    }

    #[test]
    fn things_keep_their_names() {
        for text in [
            r#"{"product":{"name":"Pen"}}"#,
            r#"{"campaign.name":"x","page":{"name":"y"},"name":"z"}"#,
            r#"{"shipping":{"method":{"name":"Express"}}}"#,
            r#"{"address":{"name":"Main Street"}}"#,
            r#"{"lineItems":[{"product":{"name":"Pen","headphones":2,"smartphone":"x"}}]}"#,
            r#"{"mobile":true,"phoneModel":"x","filename":"a","hostname":"b"}"#,
            r#"{"note":"write to a@b.test","handle":"@a","x":"a@b","link":"https://a@b.test/"}"#,
        ] {
            assert_eq!(of(text), text);
        }
    }
}
