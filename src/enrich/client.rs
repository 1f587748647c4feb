//! What a client is by its user agent and its hints together, remembered: few of these send nearly all requests, and to
//! read them costs as much as all else that is found out of a hit.
//!
//! It knows nothing of sites or lists.

use std::sync::Arc;

use super::agent_cache::AgentCache;
use super::program::Program;
use super::user_agent::{Agent, Agents, TablesError};
use super::{client_hints, consistency};
use crate::hit::ClientHints;

/// Bytes of user agent and hints up to which they are remembered.
const KEY_BYTES_MAX: usize = 1024;

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Browser and system, by the hints where they say more.
    pub agent: Agent,
    /// The kind of program that the user agent names.
    pub program: Option<Program>,
    /// The hints name a program.
    pub hints_name_a_bot: bool,
    /// What it says of itself does not fit together.
    pub is_contradictory: bool,
}

/// Reads clients, and remembers what it read.
pub struct Clients {
    agents: Agents,
    cache: AgentCache<Client>,
}

impl Clients {
    /// Compiles the tables.
    pub fn new() -> Result<Self, TablesError> {
        Ok(Self { agents: Agents::new()?, cache: AgentCache::default() })
    }

    /// What the client is.
    pub fn read(&self, user_agent: &str, hints: &ClientHints) -> Arc<Client> {
        let said = [user_agent, &hints.ua, &hints.mobile, &hints.platform, &hints.platform_version];
        let bytes: usize = said.iter().map(|text| text.len()).sum();
        if bytes > KEY_BYTES_MAX {
            return Arc::new(self.read_anew(user_agent, hints));
        }
        // Each text is followed by its length: read from its end, a key is that of one client only.
        let mut key = String::with_capacity(bytes + said.len() * size_of::<char>());
        for text in said {
            key.push_str(text);
            key.extend(char::from_u32(text.len() as u32));
        }
        key.push(if hints.contradictory { '!' } else { '.' });
        self.cache.get_or_make(&key, || self.read_anew(user_agent, hints))
    }

    fn read_anew(&self, user_agent: &str, hints: &ClientHints) -> Client {
        let plain = self.agents.read(user_agent);
        let is_contradictory = consistency::is_contradictory(user_agent, &plain.os, hints);
        let mut agent = Agent::clone(&plain);
        if client_hints::are_present(hints) {
            client_hints::apply(hints, &mut agent);
        }
        let hints_name_a_bot = client_hints::name_a_bot(hints);
        Client { agent, program: plain.program, hints_name_a_bot, is_contradictory }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_is_taken_for_another() {
        const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36";
        const BRANDS: &str = "\"Chromium\";v=\"139\", \"Brave\";v=\"139\"";
        let clients = Clients::new().unwrap();
        let hints = |ua: &str, platform: &str, contradictory| ClientHints {
            ua: ua.into(),
            platform: platform.into(),
            contradictory,
            ..ClientHints::default()
        };
        let long = format!("{CHROME} {}", "x".repeat(KEY_BYTES_MAX));
        for _ in 0..2 {
            for (agent, ua, platform, odd, browser, contradicts) in [
                (CHROME, "", "", false, "Chrome", false),
                (CHROME, "", "", true, "Chrome", true),
                (CHROME, BRANDS, "", false, "Brave", false),
                (CHROME, BRANDS, "\"Windows\"", false, "Brave", true),
                (&format!("{CHROME}{BRANDS}"), "", "", false, "Chrome", false),
                (&long, BRANDS, "", false, "Brave", false),
            ] {
                let client = clients.read(agent, &hints(ua, platform, odd));
                let found = (client.agent.browser.as_str(), client.is_contradictory);
                assert_eq!(found, (browser, contradicts), "{agent} {ua} {platform} {odd}");
                assert_eq!((client.program, client.hints_name_a_bot), (None, false));
            }
        }
    }
}
