//! `log_to_stderr`: prints what the libraries log (feature `log`). Programs call it; nothing here happens by itself.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::settings::Settings;

/// Prints log lines to stderr, as the setting `log` (environment `COLUGO_LOG`) filters them: `warn` by default, else e.g. `debug` or
/// `colugo=debug,warn`. Does nothing if the program already has a `tracing` subscriber.
///
/// ```
/// colugo::log_to_stderr();
/// ```
pub fn log_to_stderr() {
    let filter = Settings::load()
        .map(|settings| settings.value("log").to_owned())
        .unwrap_or_default();
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let _ = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Escapes are for terminals, not for files and pipes.
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .try_init();
}
