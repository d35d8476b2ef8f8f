//! The properties that peers tell each other at the end of the handshake: `name-len(1) name
//! value-len(4) value`, repeated. Knows the rules of names and sizes; refuses to know what a
//! property means. Used by the handshake, and read by the application afterwards.

use bytes::Bytes;

use crate::command::put_command_parts;
use crate::limits::{MAX_METADATA, MAX_PROPERTIES};

/// Bounds on a peer's metadata.
///
/// ```
/// use colugo_zmtp::MetadataLimits;
/// assert_eq!(MetadataLimits::default().max_properties, 32);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataLimits {
    /// Number of properties.
    pub max_properties: usize,
    /// Octets of all properties with their lengths.
    pub max_octets: usize,
}

impl Default for MetadataLimits {
    fn default() -> Self {
        Self {
            max_properties: MAX_PROPERTIES,
            max_octets: MAX_METADATA,
        }
    }
}

/// Which rule metadata breaks, a peer's or our own.
///
/// ```
/// use colugo_zmtp::{Metadata, MetadataError, MetadataLimits};
/// let error = Metadata::parse(&[3, b'a'], &MetadataLimits::default());
/// assert_eq!(error, Err(MetadataError::Cut));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The octets end within a property.
    #[error("the metadata ends within a property")]
    Cut,
    /// A name that is empty, longer than 255 octets, or has others than `A-Z a-z 0-9 - _ . +`.
    #[error("\"{name}\" is no name of a property: 1 to 255 of A-Z a-z 0-9 - _ . + are")]
    Name {
        /// The name, escaped.
        name: String,
    },
    /// A property that may be there once is there twice.
    #[error("the property {name} is given twice")]
    Duplicate {
        /// Its name.
        name: String,
    },
    /// More properties than the limit.
    #[error("more than {limit} properties")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// More octets than the limit.
    #[error("more than {limit} octets of metadata")]
    TooLarge {
        /// The limit, in octets.
        limit: usize,
    },
}

/// Properties in the order they were given.
///
/// ```
/// use colugo_zmtp::Metadata;
/// let mut metadata = Metadata::default();
/// metadata.push("X-Colugo", "1").unwrap();
/// assert_eq!(metadata.get("x-colugo").unwrap(), "1");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    properties: Vec<(String, Bytes)>,
    octets: usize,
}

impl Metadata {
    /// Metadata as received in READY.
    ///
    /// # Errors
    /// [`MetadataError`]: cut short, a name that is none, `Socket-Type`, `Identity` or an
    /// `X-Colugo` property twice, or over a limit. Of other properties that are there twice, all
    /// are kept and [`get`](Self::get) finds the first.
    ///
    /// ```
    /// # use colugo_zmtp::{Metadata, MetadataLimits};
    /// let octets = b"\x0bSocket-Type\x00\x00\x00\x03PUB";
    /// let metadata = Metadata::parse(octets, &MetadataLimits::default()).unwrap();
    /// assert_eq!(metadata.get("Socket-Type").unwrap(), "PUB");
    /// ```
    pub fn parse(octets: &[u8], limits: &MetadataLimits) -> Result<Self, MetadataError> {
        if octets.len() > limits.max_octets {
            return Err(MetadataError::TooLarge {
                limit: limits.max_octets,
            });
        }
        let mut metadata = Self::default();
        let mut rest = octets;
        while !rest.is_empty() {
            let (name, value, after) = split_property(rest).ok_or(MetadataError::Cut)?;
            let name = check_name(name)?;
            if is_unique(name) && metadata.get(name).is_some() {
                return Err(MetadataError::Duplicate { name: name.into() });
            }
            metadata.append(name, Bytes::copy_from_slice(value), limits)?;
            rest = after;
        }
        Ok(metadata)
    }

    /// Adds a property of ours.
    ///
    /// # Errors
    /// [`MetadataError`]: a name that is none or is there already in any case, or more than the
    /// default limits allow.
    ///
    /// ```
    /// # use colugo_zmtp::Metadata;
    /// assert!(Metadata::default().push("no spaces", "").is_err());
    /// ```
    pub fn push(&mut self, name: &str, value: impl Into<Bytes>) -> Result<(), MetadataError> {
        let name = check_name(name.as_bytes())?;
        if self.get(name).is_some() {
            return Err(MetadataError::Duplicate { name: name.into() });
        }
        self.append(name, value.into(), &MetadataLimits::default())
    }

    fn append(
        &mut self,
        name: &str,
        value: Bytes,
        limits: &MetadataLimits,
    ) -> Result<(), MetadataError> {
        if self.properties.len() >= limits.max_properties {
            return Err(MetadataError::TooMany {
                limit: limits.max_properties,
            });
        }
        let octets = [self.octets, 1, name.len(), 4, value.len()]
            .into_iter()
            .fold(0, usize::saturating_add);
        if octets > limits.max_octets {
            return Err(MetadataError::TooLarge {
                limit: limits.max_octets,
            });
        }
        self.octets = octets;
        self.properties.push((name.to_owned(), value));
        Ok(())
    }

    /// The value of the first property with this name, in any case.
    ///
    /// ```
    /// # use colugo_zmtp::Metadata;
    /// assert_eq!(Metadata::default().get("Identity"), None);
    /// ```
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.properties
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Names and values, in order.
    ///
    /// ```
    /// # use colugo_zmtp::Metadata;
    /// let mut metadata = Metadata::default();
    /// metadata.push("X-A", "1").unwrap();
    /// assert!(metadata.iter().eq([("X-A", &"1".into())]));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.properties
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// The number of properties.
    ///
    /// ```
    /// assert_eq!(colugo_zmtp::Metadata::default().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.properties.len()
    }

    /// Whether there is no property.
    ///
    /// ```
    /// assert!(colugo_zmtp::Metadata::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    /// The properties as octets, without a command around them: the inverse of
    /// [`parse`](Self::parse).
    ///
    /// ```
    /// # use colugo_zmtp::Metadata;
    /// let mut metadata = Metadata::default();
    /// metadata.push("X-A", "1").unwrap();
    /// assert_eq!(metadata.encode(), b"\x03X-A\0\0\0\x011");
    /// ```
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.octets);
        for (name, value) in &self.properties {
            // `append` let no longer name or value in.
            octets.push(name.len() as u8);
            octets.extend_from_slice(name.as_bytes());
            octets.extend_from_slice(&(value.len() as u32).to_be_bytes());
            octets.extend_from_slice(value);
        }
        octets
    }

    /// Appends a READY command with these properties, as a whole frame.
    ///
    /// ```
    /// # use colugo_zmtp::Metadata;
    /// let mut out = Vec::new();
    /// Metadata::default().encode_ready(&mut out);
    /// assert_eq!(out, b"\x04\x06\x05READY");
    /// ```
    pub fn encode_ready(&self, out: &mut Vec<u8>) {
        put_command_parts(out, b"READY", &[&self.encode()]);
    }
}

/// Name, value, and what follows; `None` if it ends before.
fn split_property(octets: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&[name_len], rest) = octets.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_len))?;
    let (value_len, rest) = rest.split_first_chunk()?;
    let value_len = usize::try_from(u32::from_be_bytes(*value_len)).ok()?;
    let (value, rest) = rest.split_at_checked(value_len)?;
    Some((name, value, rest))
}

fn check_name(name: &[u8]) -> Result<&str, MetadataError> {
    let legal = |c: &u8| c.is_ascii_alphanumeric() || b"-_.+".contains(c);
    match std::str::from_utf8(name) {
        Ok(text) if (1..=255).contains(&name.len()) && name.iter().all(legal) => Ok(text),
        _ => Err(MetadataError::Name {
            name: name.escape_ascii().to_string(),
        }),
    }
}

/// Properties this family of crates acts on: two values would be read differently by different
/// readers.
fn is_unique(name: &str) -> bool {
    let prefix = |p: &str| {
        name.get(..p.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(p))
    };
    name.eq_ignore_ascii_case("Socket-Type")
        || name.eq_ignore_ascii_case("Identity")
        || prefix("X-Colugo")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(name: &[u8], value: &[u8]) -> Vec<u8> {
        let mut octets = vec![name.len() as u8];
        octets.extend_from_slice(name);
        octets.extend_from_slice(&(value.len() as u32).to_be_bytes());
        octets.extend_from_slice(value);
        octets
    }

    fn parse(octets: &[u8]) -> Result<Metadata, MetadataError> {
        Metadata::parse(octets, &MetadataLimits::default())
    }

    #[test]
    fn properties_keep_their_order_and_are_read_back() {
        let mut ours = Metadata::default();
        ours.push("Socket-Type", "ROUTER").unwrap();
        ours.push("Identity", "").unwrap();
        ours.push("X-b", vec![0, 255]).unwrap();
        ours.push("X-a", "1").unwrap();
        assert_eq!(parse(&ours.encode()).as_ref(), Ok(&ours));
        let names: Vec<_> = ours.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Socket-Type", "Identity", "X-b", "X-a"]);
    }

    #[test]
    fn names_are_found_in_any_case() {
        let metadata = parse(&property(b"sOCKET-tYPE", b"PUB")).unwrap();
        assert_eq!(metadata.get("Socket-Type"), Some(&Bytes::from("PUB")));
        assert_eq!(metadata.get("Socket"), None);
    }

    #[test]
    fn metadata_cut_anywhere_but_between_properties_is_refused() {
        let mut octets = property(b"X-A", b"value");
        let between = octets.len();
        octets.extend(property(b"X-B", b"other"));
        for len in 0..octets.len() {
            let expected = match len {
                0 => Ok(0),
                _ if len == between => Ok(1),
                _ => Err(MetadataError::Cut),
            };
            assert_eq!(
                parse(&octets[..len]).map(|m| m.len()),
                expected,
                "cut at {len}"
            );
        }
        octets.push(1);
        assert_eq!(parse(&octets), Err(MetadataError::Cut), "a trailing octet");
    }

    #[test]
    fn a_value_that_claims_gigabytes_is_cut_short_not_allocated() {
        assert_eq!(parse(b"\x01a\xff\xff\xff\xff"), Err(MetadataError::Cut));
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        assert!(parse(&property(b"AZaz09-_.+", b"")).is_ok());
        for name in [
            &b""[..],
            b"a b",
            b"a:b",
            b"a/b",
            b"\xc3\xa4",
            b"\xff",
            b"a\0",
            b"\x1b",
        ] {
            let error = parse(&property(name, b"")).unwrap_err();
            let name = name.escape_ascii().to_string();
            assert_eq!(error, MetadataError::Name { name });
        }
        assert!(Metadata::default().push(&"n".repeat(255), "").is_ok());
        assert!(Metadata::default().push(&"n".repeat(256), "").is_err());
    }

    #[test]
    fn what_is_acted_on_may_be_there_once() {
        for name in ["Socket-Type", "Identity", "X-Colugo", "X-Colugo-Node"] {
            let mut octets = property(name.as_bytes(), b"1");
            octets.extend(property(name.to_lowercase().as_bytes(), b"2"));
            assert!(
                matches!(parse(&octets), Err(MetadataError::Duplicate { .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn other_properties_may_be_repeated_by_a_peer_and_the_first_counts() {
        let mut octets = property(b"X-Vendor", b"1");
        octets.extend(property(b"X-Vendor", b"2"));
        let metadata = parse(&octets).unwrap();
        assert_eq!(
            (metadata.len(), metadata.get("X-Vendor").unwrap().as_ref()),
            (2, &b"1"[..])
        );
    }

    #[test]
    fn our_own_properties_are_not_repeated() {
        let mut ours = Metadata::default();
        ours.push("X-A", "1").unwrap();
        let again = ours.push("x-a", "2");
        assert_eq!(again, Err(MetadataError::Duplicate { name: "x-a".into() }));
        assert_eq!(ours.len(), 1);
    }

    #[test]
    fn limits_hold_for_peers_and_for_us() {
        let limit = MAX_PROPERTIES;
        let mut ours = Metadata::default();
        let mut octets = Vec::new();
        for n in 0..limit {
            ours.push(&format!("X-{n}"), "").unwrap();
            octets.extend(property(format!("X-{n}").as_bytes(), b""));
        }
        assert!(parse(&octets).is_ok());
        assert_eq!(
            ours.push("X-last", ""),
            Err(MetadataError::TooMany { limit })
        );
        octets.extend(property(b"X-last", b""));
        assert_eq!(parse(&octets), Err(MetadataError::TooMany { limit }));

        let limit = MAX_METADATA;
        let fits = vec![0; limit - 6];
        assert!(parse(&property(b"a", &fits)).is_ok());
        let mut ours = Metadata::default();
        ours.push("a", fits).unwrap();
        assert_eq!(ours.push("b", ""), Err(MetadataError::TooLarge { limit }));
        let over = property(b"a", &vec![0; limit - 5]);
        assert_eq!(parse(&over), Err(MetadataError::TooLarge { limit }));
    }
}
