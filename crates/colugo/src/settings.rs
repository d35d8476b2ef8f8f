//! `Settings`: what can be set from outside, and where each value came from: builder, else environment, else one TOML file, else the default.
//! Knows the keys, whose table for users is `settings.md`; does not act on any.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use colugo_graph::Namespace;

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// This file.
    File(PathBuf),
    /// This environment variable.
    Environment(&'static str),
    /// The program itself.
    Builder,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Builder => f.write_str("builder"),
        }
    }
}

/// One row of the table of settings: key, value as text, and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// The key, as in the file.
    pub key: &'static str,
    /// The value in effect; lists by comma, empty if there is none.
    pub value: String,
    /// Who set it.
    pub origin: Origin,
}

/// A setting that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A value does not fit its key.
    #[error("the setting `{key}` = {value:?} (from {origin}) is not usable: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it was set to.
        value: String,
        /// By whom.
        origin: Origin,
        /// What is expected.
        reason: String,
    },
    /// A key of the file that means nothing.
    #[error("{file:?} has the unknown key `{key}`; known are {known}")]
    UnknownKey {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// Those there are.
        known: String,
    },
    /// The file is no TOML.
    #[error("{file:?} is no TOML: {reason}")]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// The file that was asked for can't be read.
    #[error("{file:?}, the configuration file that COLUGO_CONFIG names, can't be read: {source}")]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// The keys and their environment variables, in the order they are shown.
const KEYS: [(&str, &str); 11] = [
    ("namespace", "COLUGO_NAMESPACE"),
    ("peers", "COLUGO_PEERS"),
    ("listen", "COLUGO_LISTEN"),
    ("hub", "COLUGO_HUB"),
    ("original", "COLUGO_ORIGINAL"),
    ("interfaces", "COLUGO_INTERFACES"),
    ("advertise", "COLUGO_ADVERTISE"),
    ("ports", "COLUGO_PORTS"),
    ("share_after", "COLUGO_SHARE_AFTER"),
    ("remap", "COLUGO_REMAP"),
    ("log", "COLUGO_LOG"),
];
const CONFIG_VARIABLE: &str = "COLUGO_CONFIG";
const DEFAULT_LOG: &str = "warn";
/// Few enough that a robot's images and commands have connections of their own, whatever the order in which they are found.
const SHARE_AFTER: usize = 16;

/// All settings in effect, as text with their origin. The typed ones are read once, by [`Settings::parse`].
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    rows: Vec<Setting>,
}

/// The settings, understood.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) namespace: Namespace,
    pub(crate) peers: Vec<String>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) hub: bool,
    pub(crate) original: OriginalRecords,
    pub(crate) interfaces: Vec<String>,
    pub(crate) advertise: Vec<String>,
    pub(crate) ports: Option<RangeInclusive<u16>>,
    /// None: each link has a connection of its own.
    pub(crate) share_after: Option<usize>,
    pub(crate) remap: Vec<(String, String)>,
}

/// Whether a node shows its publishers and servers by the original's records as well, and finds those that are shown so: of programs in
/// Python that use the original, and of any ZeroMQ program that announces one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OriginalRecords {
    /// In the namespace `default` only: the original knows no namespaces.
    #[default]
    Auto,
    /// Whatever the namespace.
    On,
    /// Not at all.
    Off,
}

impl OriginalRecords {
    pub(crate) fn is_on(self, namespace: &Namespace) -> bool {
        match self {
            Self::Auto => *namespace == Namespace::default(),
            Self::On => true,
            Self::Off => false,
        }
    }
}

impl fmt::Display for OriginalRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

impl FromStr for OriginalRecords {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "on" | "true" => Ok(Self::On),
            "off" | "false" => Ok(Self::Off),
            _ => Err("auto, on or off is expected"),
        }
    }
}

impl Settings {
    /// Environment, file and defaults of this process.
    pub(crate) fn load() -> Result<Self, SettingsError> {
        Self::from_sources(&|variable| {
            std::env::var(variable)
                .ok()
                .filter(|value| !value.is_empty())
        })
    }

    /// Only defaults: the virtual network does not look at the machine it runs on.
    pub(crate) fn defaults() -> Self {
        let rows = KEYS.map(|(key, _)| Setting {
            key,
            value: default_of(key),
            origin: Origin::Default,
        });
        Self { rows: rows.into() }
    }

    fn from_sources(
        environment: &dyn Fn(&'static str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::defaults();
        let file = match environment(CONFIG_VARIABLE) {
            Some(path) => {
                let file = PathBuf::from(path);
                let text =
                    std::fs::read_to_string(&file).map_err(|source| SettingsError::File {
                        file: file.clone(),
                        source,
                    })?;
                settings.read_toml(&file, &text)?;
                Setting {
                    key: "config",
                    value: file.display().to_string(),
                    origin: Origin::Environment(CONFIG_VARIABLE),
                }
            }
            None => {
                let file = user_file(environment);
                if let Some((file, text)) = file
                    .as_ref()
                    .and_then(|f| Some((f, std::fs::read_to_string(f).ok()?)))
                {
                    settings.read_toml(file, &text)?;
                }
                let value = file.map(|f| f.display().to_string()).unwrap_or_default();
                Setting {
                    key: "config",
                    value,
                    origin: Origin::Default,
                }
            }
        };
        for (key, variable) in KEYS {
            if let Some(value) = environment(variable) {
                settings.set(key, value, Origin::Environment(variable));
            }
        }
        settings.rows.push(file);
        Ok(settings)
    }

    fn read_toml(&mut self, file: &Path, text: &str) -> Result<(), SettingsError> {
        let table = text
            .parse::<toml::Table>()
            .map_err(|e| SettingsError::Syntax {
                file: file.into(),
                reason: e.message().to_owned(),
            })?;
        for (name, value) in table {
            let Some((key, _)) = KEYS.iter().find(|(key, _)| *key == name) else {
                let known = KEYS.map(|(key, _)| key).join(", ");
                return Err(SettingsError::UnknownKey {
                    file: file.into(),
                    key: name,
                    known,
                });
            };
            let text = match &value {
                toml::Value::String(text) => Some(text.clone()),
                toml::Value::Boolean(yes) => Some(yes.to_string()),
                toml::Value::Integer(number) if *key == "share_after" => Some(number.to_string()),
                toml::Value::Array(items) => items
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect::<Option<Vec<_>>>()
                    .map(|items| items.join(",")),
                _ => None,
            };
            let origin = Origin::File(file.into());
            let Some(text) = text else {
                let reason = "a string, a number, true or false, or a list of strings is expected"
                    .to_owned();
                return Err(SettingsError::Value {
                    key,
                    value: format!("{value:?}"),
                    origin,
                    reason,
                });
            };
            self.set(key, text, origin);
        }
        Ok(())
    }

    pub(crate) fn set(&mut self, key: &'static str, value: String, origin: Origin) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.key == key) {
            row.value = value;
            row.origin = origin;
        }
    }

    pub(crate) fn rows(&self) -> &[Setting] {
        &self.rows
    }

    #[cfg_attr(
        not(feature = "log"),
        allow(dead_code, reason = "only log_to_stderr asks for single settings")
    )]
    pub(crate) fn value(&self, key: &str) -> &str {
        self.rows
            .iter()
            .find(|row| row.key == key)
            .map_or("", |row| &row.value)
    }

    /// Understands every value, or says which one is wrong and who set it.
    pub(crate) fn parse(&self) -> Result<Parsed, SettingsError> {
        Ok(Parsed {
            namespace: self
                .one("namespace", Namespace::from_str)?
                .unwrap_or_default(),
            peers: self.list("peers", peer_endpoint)?,
            listen: self.one("listen", listen_address)?,
            hub: self.one("hub", yes_or_no)?.unwrap_or_default(),
            original: self
                .one("original", OriginalRecords::from_str)?
                .unwrap_or_default(),
            interfaces: self.list("interfaces", |i| Ok::<_, String>(i.to_owned()))?,
            advertise: self.list("advertise", |a| Ok::<_, String>(a.to_owned()))?,
            ports: self.one("ports", port_range)?,
            share_after: self.one("share_after", share_after)?.flatten(),
            remap: self.list("remap", remap_pair)?,
        })
    }

    fn one<T, E: fmt::Display>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SettingsError> {
        let Some(row) = self
            .rows
            .iter()
            .find(|row| row.key == key && !row.value.is_empty())
        else {
            return Ok(None);
        };
        parse(&row.value)
            .map(Some)
            .map_err(|reason| unusable(row, reason))
    }

    fn list<T, E: fmt::Display>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, SettingsError> {
        let Some(row) = self.rows.iter().find(|row| row.key == key) else {
            return Ok(Vec::new());
        };
        let items = row
            .value
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        items
            .map(|item| parse(item).map_err(|reason| unusable(row, reason)))
            .collect()
    }
}

/// The settings a node of this process would have, without those that its builder sets.
///
/// # Errors
/// The configuration file is unreadable or has an unknown key. Values are only judged when a node is made.
///
/// ```
/// # fn main() -> Result<(), colugo::SettingsError> {
/// for setting in colugo::settings()? {
///     println!("{} = {:?} ({})", setting.key, setting.value, setting.origin);
/// }
/// # Ok(()) }
/// ```
pub fn settings() -> Result<Vec<Setting>, SettingsError> {
    Ok(Settings::load()?.rows)
}

fn unusable(row: &Setting, reason: impl fmt::Display) -> SettingsError {
    SettingsError::Value {
        key: row.key,
        value: row.value.clone(),
        origin: row.origin.clone(),
        reason: reason.to_string(),
    }
}

fn default_of(key: &str) -> String {
    match key {
        "namespace" => Namespace::default().to_string(),
        "hub" => false.to_string(),
        "original" => OriginalRecords::Auto.to_string(),
        "share_after" => SHARE_AFTER.to_string(),
        "log" => DEFAULT_LOG.to_owned(),
        _ => String::new(),
    }
}

fn user_file(environment: &dyn Fn(&'static str) -> Option<String>) -> Option<PathBuf> {
    let folder = environment("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| environment("APPDATA").map(PathBuf::from));
    let folder =
        folder.or_else(|| environment("HOME").map(|home| Path::new(&home).join(".config")))?;
    Some(folder.join("colugo").join("config.toml"))
}

fn peer_endpoint(text: &str) -> Result<String, String> {
    if crate::control::is_seed(text) {
        return Ok(text.to_owned());
    }
    let host_port = text.strip_prefix("tcp://").unwrap_or(text);
    match host_port.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty()
                && host != "dns-sd"
                && port.parse::<u16>().is_ok_and(|port| port > 0) =>
        {
            Ok(format!("tcp://{host_port}"))
        }
        _ => Err(format!(
            "{text:?} is no endpoint such as tcp://10.0.0.2:4747"
        )),
    }
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let host_port = text.strip_prefix("tcp://").unwrap_or(text);
    let host_port = host_port
        .strip_prefix('*')
        .map_or_else(|| host_port.to_owned(), |port| format!("0.0.0.0{port}"));
    host_port
        .parse()
        .map_err(|_| "an address and port such as 0.0.0.0:4747 is expected".to_owned())
}

fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("true or false is expected"),
    }
}

/// A number of links, or `off`.
fn share_after(text: &str) -> Result<Option<usize>, String> {
    match text {
        "off" => Ok(None),
        number => number
            .parse()
            .map(Some)
            .map_err(|_| "a number of links or off is expected, for example 16".to_owned()),
    }
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("a port or a range such as 20000-20100 is expected"),
    }
}

fn remap_pair(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').ok_or("`from=to` is expected")?;
    for topic in [from, to] {
        colugo_graph::Topic::new(topic).map_err(|e| e.to_string())?;
    }
    Ok((from.to_owned(), to.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Settings, SettingsError> {
        let mut settings = Settings::defaults();
        settings
            .read_toml(Path::new("colugo.toml"), text)
            .map(|()| settings)
    }

    #[test]
    fn environment_beats_file_beats_default() -> Result<(), SettingsError> {
        let mut settings = file("namespace = 'lab'\npeers = ['a:1', 'tcp://b:2']")?;
        assert_eq!(settings.parse()?.namespace.as_str(), "lab");
        assert_eq!(settings.parse()?.peers, ["tcp://a:1", "tcp://b:2"]);
        settings.set(
            "namespace",
            "field".into(),
            Origin::Environment("COLUGO_NAMESPACE"),
        );
        assert_eq!(settings.parse()?.namespace.as_str(), "field");
        assert_eq!(Settings::defaults().parse()?.namespace.as_str(), "default");
        Ok(())
    }

    #[test]
    fn each_environment_variable_is_read() -> Result<(), SettingsError> {
        let settings = Settings::from_sources(&|variable| match variable {
            "COLUGO_LISTEN" => Some("*:4747".into()),
            "COLUGO_PORTS" => Some("20000-20010".into()),
            "COLUGO_REMAP" => Some("a=b, c.d=e".into()),
            "COLUGO_SHARE_AFTER" => Some("3".into()),
            _ => None,
        })?;
        let parsed = settings.parse()?;
        assert_eq!(parsed.listen, "0.0.0.0:4747".parse().ok());
        assert_eq!(parsed.ports, Some(20000..=20010));
        assert_eq!(parsed.share_after, Some(3));
        assert_eq!(
            parsed.remap,
            [
                ("a".to_owned(), "b".to_owned()),
                ("c.d".to_owned(), "e".to_owned())
            ]
        );
        Ok(())
    }

    #[test]
    fn links_share_a_connection_after_so_many_or_never() -> Result<(), SettingsError> {
        assert_eq!(Settings::defaults().parse()?.share_after, Some(SHARE_AFTER));
        for (text, after) in [("0", Some(0)), ("'off'", None), ("'7'", Some(7))] {
            let parsed = file(&format!("share_after = {text}"))?.parse()?;
            assert_eq!(parsed.share_after, after);
        }
        for wrong in ["-1", "'few'"] {
            let refused = file(&format!("share_after = {wrong}"))?.parse();
            assert!(
                matches!(refused, Err(SettingsError::Value { .. })),
                "{wrong}"
            );
        }
        Ok(())
    }

    #[test]
    fn what_is_on_or_off_is_said_in_several_ways() -> Result<(), SettingsError> {
        assert!(!Settings::defaults().parse()?.hub);
        for (text, on) in [("hub = true", true), ("hub = 'off'", false)] {
            assert_eq!(file(text)?.parse()?.hub, on);
        }
        for (text, on) in [
            ("", true),
            ("namespace = 'lab'", false),
            ("namespace = 'lab'\noriginal = 'on'", true),
            ("original = false", false),
        ] {
            let parsed = file(text)?.parse()?;
            assert_eq!(parsed.original.is_on(&parsed.namespace), on, "{text}");
        }
        let refused = file("hub = 'maybe'")?.parse();
        assert!(refused.is_err_and(|error| error.to_string().contains("true or false")));
        Ok(())
    }

    #[test]
    fn wrong_values_name_their_key_and_origin() {
        let refused = file("ports = '9-1'")
            .and_then(|s| s.parse().map(drop))
            .map_err(|e| e.to_string());
        assert!(refused.is_err_and(|e| e.contains("`ports`") && e.contains("colugo.toml")));
        assert!(
            matches!(file("port = '1'"), Err(SettingsError::UnknownKey { key, .. }) if key == "port")
        );
        assert!(matches!(file("ports ="), Err(SettingsError::Syntax { .. })));
        assert!(matches!(
            file("ports = 5"),
            Err(SettingsError::Value { key: "ports", .. })
        ));
    }
}
