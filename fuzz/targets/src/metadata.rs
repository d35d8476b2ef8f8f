//! The properties in READY.

use colugo_zmtp::{MAX_METADATA, MAX_PROPERTIES, Metadata, MetadataLimits};

use crate::memory::within;

/// What is accepted is within the limits, found by its names in any case, and written back to the octet.
pub fn metadata(data: &[u8]) {
    let limits = MetadataLimits::default();
    // A property of six octets becomes a place in the list, a name and a value.
    let most = 4096 + 40 * data.len().min(MAX_METADATA);
    let Ok(metadata) = within(most, || Metadata::parse(data, &limits)) else {
        return;
    };
    assert_eq!(metadata.encode(), data);
    assert!(metadata.len() <= MAX_PROPERTIES && data.len() <= MAX_METADATA);
    assert_eq!(metadata.is_empty(), data.is_empty());
    assert_eq!(metadata.iter().count(), metadata.len());
    let mut ours = Metadata::default();
    for (name, value) in metadata.iter() {
        let first = metadata.get(name).expect("it is there");
        assert_eq!(metadata.get(&name.to_ascii_uppercase()), Some(first));
        let known = ours.get(name).is_some();
        assert_eq!(ours.push(name, value.clone()).is_err(), known);
    }
    let tight = MetadataLimits {
        max_properties: metadata.len().saturating_sub(1),
        max_octets: data.len(),
    };
    assert_eq!(Metadata::parse(data, &tight).is_ok(), data.is_empty());
    let tight = MetadataLimits {
        max_properties: metadata.len(),
        max_octets: data.len().saturating_sub(1),
    };
    assert_eq!(Metadata::parse(data, &tight).is_ok(), data.is_empty());
}
