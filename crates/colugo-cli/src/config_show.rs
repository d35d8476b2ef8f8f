//! `colugo config show`: the settings in effect, and where each value came from.

use serde_json::json;

use crate::args::{ConfigShowArgs, NetworkArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::node_list::SCHEMA;
use crate::output::Out;
use crate::table::Table;

pub(crate) fn run(network: &NetworkArgs, args: &ConfigShowArgs) -> Outcome {
    let settings = colugo::settings().map_err(|error| Failure::with(Exit::Usage, error))?;
    let rows = settings
        .iter()
        .map(|setting| match typed(network, setting.key) {
            Some(value) => (setting.key, value, "command line".to_owned()),
            None => (
                setting.key,
                setting.value.clone(),
                setting.origin.to_string(),
            ),
        });
    let mut out = Out::new();
    if args.json {
        let rows: Vec<_> = rows
            .map(|(key, value, from)| json!({"key": key, "value": value, "from": from}))
            .collect();
        out.line(json!({"v": SCHEMA, "settings": rows}))?;
    } else {
        let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
        for (key, value, from) in rows {
            let value = if value.is_empty() {
                "-".to_owned()
            } else {
                value
            };
            table.row([key.to_owned(), value, from]);
        }
        table.lines().iter().try_for_each(|line| out.line(line))?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// What an option of this command line sets.
fn typed(network: &NetworkArgs, key: &str) -> Option<String> {
    let list = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
    match key {
        "namespace" => network.namespace.clone(),
        "listen" => network.listen.clone(),
        "peers" => list(&network.peer),
        "interfaces" => list(&network.interface),
        _ => None,
    }
}
