//! Secrets: how they are made, hashed and compared. Only hashes are ever stored; plain secrets are shown once.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Length of a client's id.
pub const CLIENT_ID_CHARS: usize = 32;
/// Length of a client's secret.
pub const CLIENT_SECRET_CHARS: usize = 64;
/// Length of a site's public id.
pub const SITE_ID_CHARS: usize = 10;
/// Length of a goal's public id.
pub const GOAL_ID_CHARS: usize = 10;
/// Length of a filter's public id.
pub const FILTER_ID_CHARS: usize = 10;
/// Length of a site's identification code.
pub const IDENTIFICATION_CODE_CHARS: usize = 32;
/// What access keys begin with.
pub const ACCESS_KEY_PREFIX: &str = "pa_";
/// Length of an access key after its prefix.
pub const ACCESS_KEY_CHARS: usize = 45;
/// Length of a token for SegmentStream's calls.
pub const TRACK_TOKEN_CHARS: usize = 48;
/// Length of an access token.
pub const ACCESS_TOKEN_CHARS: usize = 64;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// SHA-256 of a secret. Compared in constant time, also as a key of a map: what a map's buckets tell is about the
/// hash of a secret, under a key of the process's own, and not about the secret.
#[derive(Clone, Copy, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretHash([u8; 32]);

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Hash for SecretHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl SecretHash {
    /// The hash of `secret`.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether this is the hash of `secret`, in time that does not depend on where they differ.
    pub fn matches(&self, secret: &str) -> bool {
        *self == Self::of(secret)
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        to_hex(&hash.0)
    }
}

impl TryFrom<String> for SecretHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        from_hex(&text).map(Self).ok_or("a hash is 64 hexadecimal digits")
    }
}

/// Bytes as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(digits).collect()
}

/// Reads what [`to_hex`] wrote.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(out)
}

/// Random bytes from the operating system.
///
/// # Errors
/// The system has no randomness to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A random alphanumeric text. Every character is equally likely: bytes past the last multiple of 62 are drawn again.
///
/// # Errors
/// The system has no randomness to give.
pub fn random_text(chars: usize) -> Result<String, getrandom::Error> {
    const FAIR: u8 = (256 / ALPHABET.len() * ALPHABET.len()) as u8;
    let mut text = String::with_capacity(chars);
    while text.len() < chars {
        for byte in random_bytes::<64>()? {
            if byte < FAIR && text.len() < chars {
                text.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
            }
        }
    }
    Ok(text)
}

/// An alphanumeric text of at most 32 characters that follows from `parts`, and looks random.
pub fn derived_text(parts: &[&str], chars: usize) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    let bytes: [u8; 32] = digest.finalize().into();
    bytes.iter().take(chars).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

/// A random access key.
///
/// # Errors
/// The system has no randomness to give.
pub fn random_access_key() -> Result<String, getrandom::Error> {
    Ok(format!("{ACCESS_KEY_PREFIX}{}", random_text(ACCESS_KEY_CHARS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_texts_have_their_length_and_alphabet() {
        for chars in [0, 1, 10, 32, 45, 64, 200] {
            let text = random_text(chars).unwrap();
            assert_eq!(text.len(), chars);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        assert_ne!(random_text(32).unwrap(), random_text(32).unwrap());
        let key = random_access_key().unwrap();
        assert!(key.len() == 48 && key.starts_with("pa_"));
    }

    #[test]
    fn derived_texts_follow_from_their_parts() {
        let text = derived_text(&["site", "a.test"], 10);
        assert_eq!(text, "Xlsfdq3nKd", "clients keep such ids");
        assert_ne!(text, derived_text(&["site", "b.test"], 10));
        assert_ne!(derived_text(&["ab", "c"], 10), derived_text(&["a", "bc"], 10));
    }

    #[test]
    fn hashes_are_equal_only_to_themselves() {
        let hash = SecretHash::of("secret");
        assert!(hash == SecretHash::of("secret") && hash != SecretHash::of("Secret"));
        let map = std::collections::HashMap::from([(hash, 1)]);
        assert_eq!((map.get(&SecretHash::of("secret")), map.get(&SecretHash::of(""))), (Some(&1), None));
        for at in 0..32 {
            let mut other = hash;
            other.0[at] ^= 1;
            assert!(hash != other, "byte {at}");
        }
    }

    #[test]
    fn hashes_match_only_their_secret_and_survive_json() {
        let hash = SecretHash::of("secret");
        assert!(hash.matches("secret") && !hash.matches("Secret") && !hash.matches(""));
        let text = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<SecretHash>(&text).unwrap(), hash);
        assert!(serde_json::from_str::<SecretHash>("\"00\"").is_err());
    }
}
