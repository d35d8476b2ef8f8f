//! The part of deny.toml that our own licence check needs: the list of strings under a section's key. Not TOML: it reads
//! what stands in our file, and an entry that is not a plain string is an error.

use crate::error::Error;

/// The strings of `key = ["…", …]` in `[section]`; a list that is not there is empty.
pub(crate) fn strings(toml: &str, section: &str, key: &str) -> Result<Vec<String>, Error> {
    let lines = toml
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    let header = format!("[{section}]");
    let in_section = lines
        .skip_while(|line| *line != header)
        .skip(1)
        .take_while(|line| !is_header(line));
    let from_key = in_section.skip_while(|line| line.split('=').next().map(str::trim) != Some(key));
    let mut list = String::new();
    for line in from_key {
        list.push_str(line);
        if line.ends_with(']') {
            break;
        }
    }
    let Some((_, list)) = list.split_once('=') else {
        return Ok(Vec::new());
    };
    let inside = list
        .trim()
        .strip_prefix('[')
        .and_then(|list| list.strip_suffix(']'));
    let items = inside
        .unwrap_or(list)
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    items
        .map(|item| plain(item).ok_or_else(|| unreadable(section, key, item)))
        .collect()
}

fn is_header(line: &str) -> bool {
    line.starts_with('[') && line.ends_with(']') && !line.contains(['"', ','])
}

fn plain(item: &str) -> Option<String> {
    let inside = item.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains(['"', '\\'])).then(|| inside.to_owned())
}

fn unreadable(section: &str, key: &str, item: &str) -> Error {
    Error::found(format!(
        "deny.toml: `{item}` in `{key}` of [{section}] is no plain string; install cargo-deny, or write it as one"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [licenses]
        allow = [
            "MIT", # the usual
            "Apache-2.0",
        ]
        [bans]
        deny = ["a", "b"]
        skip = [{ name = "c" }]
    "#;

    #[test]
    fn lists_are_read_by_section_and_key() {
        assert_eq!(
            strings(FILE, "licenses", "allow").unwrap(),
            ["MIT", "Apache-2.0"]
        );
        assert_eq!(strings(FILE, "bans", "deny").unwrap(), ["a", "b"]);
        assert!(strings(FILE, "licenses", "deny").unwrap().is_empty());
        assert!(strings(FILE, "bans", "skip").is_err());
    }
}
