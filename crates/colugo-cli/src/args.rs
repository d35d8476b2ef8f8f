//! `Args`: what can be typed. Knows options, defaults and help texts; acts on none of them.

use std::time::Duration;

use clap::{ArgGroup, Parser, Subcommand};

use crate::target::Target;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "colugo",
    version,
    about = "Nodes that find each other and talk over plain ZeroMQ",
    after_help = "Examples:\n  colugo demo                           see six processes find each other and talk\n  \
                  colugo topic echo hello               print what is published as \"hello\"\n  \
                  colugo topic pub hello 'hi there'     publish it\n  \
                  colugo topic echo tcp://robot:5556    print what any ZeroMQ program publishes there",
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command: which nodes to meet, and how.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// Meet the nodes of this namespace [default: that of COLUGO_NAMESPACE or the configuration file, else "default"]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Dial this node where discovery does not reach; may be repeated
    #[arg(long, global = true, value_name = "tcp://HOST:PORT")]
    pub(crate) peer: Vec<String>,
    /// Listen for nodes at this address instead of at any free port
    #[arg(long, global = true, value_name = "IP:PORT")]
    pub(crate) listen: Option<String>,
    /// Discover only through this interface (name or address) instead of all; may be repeated
    #[arg(long, global = true, value_name = "NAME|IP")]
    pub(crate) interface: Vec<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch six processes find each other and talk
    Demo(DemoArgs),
    /// List, print and publish topics
    #[command(subcommand, arg_required_else_help = true)]
    Topic(TopicCommand),
    /// List, call and serve services
    #[command(subcommand, arg_required_else_help = true)]
    Service(ServiceCommand),
    /// List nodes
    #[command(subcommand, arg_required_else_help = true)]
    Node(NodeCommand),
    /// Find out who is heard and not reached, and why
    Doctor(DoctorArgs),
    /// Introduce nodes to each other that multicast does not reach
    Hub(HubArgs),
    /// Show the settings in effect
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),
    /// One process of the demo
    #[command(hide = true)]
    DemoPart(DemoPartArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// List the topics that are published or subscribed to
    List(ListArgs),
    /// Print the messages of a topic
    Echo(EchoArgs),
    /// Publish messages
    Pub(PubArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List the services that are served or called
    List(ListArgs),
    /// Send a request and print the reply
    Call(CallArgs),
    /// Answer requests
    Serve(ServeArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// List the nodes of the namespace
    List(NodeListArgs),
    /// Show what is known of a node, and what happened with it, step by step
    Info(NodeInfoArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print each setting, its value and where that came from
    #[command(after_help = "Example:\n  COLUGO_NAMESPACE=lab colugo config show")]
    Show(ConfigShowArgs),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A publisher, two subscribers, a reply server and two request clients run as processes of their own, in a \
                  namespace of\ntheir own. Exit status: 0 all found each other and nothing was lost; 1 somebody was not \
                  found; 3 something was lost.\n\nExample:\n  colugo demo --seconds 5"
)]
pub(crate) struct DemoArgs {
    /// How long they talk, once they have found each other
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = duration)]
    pub(crate) seconds: Duration,
    /// Print only a summary, as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Looks at the nodes that are heard, the fixed peers, names that match nothing, the ports of publishers and servers, and \
                  the\ninterfaces. Each finding has what was seen, and what to do. Exit status: 0 healthy; 1 there are \
                  problems.\n\nExamples:\n  colugo doctor\n  colugo doctor --json | jq -r '.findings[].about'\n  \
                  colugo --peer tcp://10.0.0.2:4747 doctor"
)]
pub(crate) struct DoctorArgs {
    /// How long to wait for nodes to be heard and to answer, at most; one that does not is known to after 3 s
    #[arg(long, value_name = "SECS", default_value = "5", value_parser = duration)]
    pub(crate) wait: Duration,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nodes that know the hub's address find each other through it and then talk directly; when it ends, they go on. \
                  Several\nhubs stand in for each other: name them all. A node of a program is a hub with .hub(true) or \
                  COLUGO_HUB=true.\n\nExamples:\n  colugo hub                                          on a machine that \
                  all can reach, 10.0.0.2 say\n  COLUGO_PEERS=tcp://10.0.0.2:4747 ./robot            on the others\n  \
                  colugo --peer tcp://10.0.0.2:4747 topic list\n  colugo --listen 0.0.0.0:5000 hub                    \
                  at another port"
)]
pub(crate) struct HubArgs {
    /// Print one JSON object a line: who comes and goes
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  colugo topic list\n  colugo service list --json | jq -r '.services[].name'"
)]
pub(crate) struct ListArgs {
    /// How long to wait for nodes to be heard, at most
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = duration)]
    pub(crate) wait: Duration,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0; 1 if there is no such node.\n\nExamples:\n  colugo node info camera\n  colugo node info 3fa9c1 --wait 5 --json"
)]
pub(crate) struct NodeInfoArgs {
    /// Its name, or what its id begins with
    #[arg(value_name = "NAME|ID")]
    pub(crate) node: String,
    /// How long to wait for nodes to be heard, at most
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = duration)]
    pub(crate) wait: Duration,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  colugo node list")]
pub(crate) struct NodeListArgs {
    /// Also nodes that were only heard of: in other namespaces, or not reachable
    #[arg(long)]
    pub(crate) all: bool,
    /// How long to wait for nodes to be heard, at most
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = duration)]
    pub(crate) wait: Duration,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Payloads are shown by the encoding that the publisher declares; if it declares none, as JSON, MessagePack, \
                  text or\nhexadecimal, whichever fits. Exit status: 0; 124 if too little came in the time of --timeout; 130 \
                  if interrupted before\nthe first message.\n\nExamples:\n  colugo topic echo hello\n  \
                  colugo topic echo pose -n 1 --timeout 5 --json\n  colugo topic echo tcp://robot:5556"
)]
pub(crate) struct EchoArgs {
    /// A topic, or the address of any ZeroMQ PUB or XPUB
    #[arg(value_name = "TOPIC|tcp://HOST:PORT")]
    pub(crate) target: Target,
    /// End after so many messages
    #[arg(short = 'n', long = "count", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End when nothing came for so long
    #[arg(long, value_name = "SECS", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Only messages that begin with this text: ZeroMQ's own filter
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) prefix: String,
    /// Listen at the address instead of dialling it (for publishers that connect)
    #[arg(long)]
    pub(crate) bind: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// How payloads are printed.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(group = ArgGroup::new("form").args(["raw", "hex", "json"]))]
pub(crate) struct FormArgs {
    /// The octets as they came, and nothing else
    #[arg(long)]
    pub(crate) raw: bool,
    /// As hexadecimal digits, a line for each message
    #[arg(long)]
    pub(crate) hex: bool,
    /// One JSON object a line, with what is known of the message
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --rate, waits for one subscriber, so that nothing is published to nobody. Exit status: 0; 3 if a \
                  message was\ndropped because a subscriber was too slow; 124 if the subscribers did not come.\n\nExamples:\n  \
                  colugo topic pub hello 'hi there'\n  colugo topic pub count '{\"n\": 1}' --rate 10\n  \
                  tail -f log.txt | colugo topic pub log -\n  colugo topic pub 'tcp://*:5556' 'to any ZeroMQ subscriber'"
)]
pub(crate) struct PubArgs {
    /// A topic, or the address to listen at for any ZeroMQ SUB
    #[arg(value_name = "TOPIC|tcp://HOST:PORT")]
    pub(crate) target: Target,
    /// What to publish; "-": each line of the standard input
    #[arg(
        value_name = "PAYLOAD|-",
        default_value = "-",
        allow_hyphen_values = true
    )]
    pub(crate) payload: String,
    /// Publish so many messages [default: 1; with --rate, or from the standard input, no end]
    #[arg(short = 'n', long = "count", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// So many a second
    #[arg(short = 'r', long, value_name = "HZ", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Wait for so many subscribers first [default: 1, or 0 if --rate is given]
    #[arg(short = 'w', long, value_name = "N")]
    pub(crate) wait_subscribers: Option<usize>,
    /// How long to wait for them
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// The encoding to declare [default: json or text, whichever the payload is; none for the standard input]
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    pub(crate) encoding: Option<String>,
    /// Dial the address instead of listening at it (for subscribers that bind)
    #[arg(long)]
    pub(crate) connect: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0; 1 if the request was refused or the server went away; 124 if there was no server or no reply \
                  in time.\n\nExamples:\n  colugo service call add '{\"a\": 1, \"b\": 2}'\n  \
                  colugo service call tcp://robot:5557 status"
)]
pub(crate) struct CallArgs {
    /// A service, or the address of any ZeroMQ REP or ROUTER
    #[arg(value_name = "NAME|tcp://HOST:PORT")]
    pub(crate) target: Target,
    /// The request; "-": the standard input
    #[arg(value_name = "PAYLOAD|-", allow_hyphen_values = true)]
    pub(crate) payload: String,
    /// How long server and reply may take
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("answer").required(true).args(["echo", "reply", "exec"]),
    after_help = "Each request is printed. Examples:\n  colugo service serve ping --reply pong\n  \
                  colugo service serve upper --exec 'tr a-z A-Z'\n  \
                  colugo service serve 'tcp://*:5557' --echo      for any ZeroMQ REQ or DEALER"
)]
pub(crate) struct ServeArgs {
    /// A service, or the address to listen at for any ZeroMQ REQ or DEALER
    #[arg(value_name = "NAME|tcp://HOST:PORT")]
    pub(crate) target: Target,
    /// Answer with the request itself
    #[arg(long)]
    pub(crate) echo: bool,
    /// Answer with this text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) reply: Option<String>,
    /// Answer with what this shell command prints, less its last line end; the request is its standard input
    #[arg(long, value_name = "CMD")]
    pub(crate) exec: Option<String>,
    /// How long the command may run before it is killed and the request refused
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = duration, requires = "exec")]
    pub(crate) exec_timeout: Duration,
    /// How many commands may run at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=256), requires = "exec")]
    pub(crate) jobs: u16,
    /// End after so many requests
    #[arg(short = 'n', long = "count", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Dial the address instead of listening at it (for a DEALER that binds, such as a queue's back end)
    #[arg(long)]
    pub(crate) connect: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigShowArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoPartArgs {
    /// Which one
    #[arg(value_enum)]
    pub(crate) role: crate::demo::Role,
    /// What it is called
    pub(crate) name: String,
}

/// Longest time that can be asked for; longer ones overflow the clocks of some systems.
const DURATION_MAX_SECS: f64 = 1e9;

/// `2`, `0.5`, `500ms`, `2s`, `1m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(number.len()..) {
        Some("" | "s") => Some(1.0),
        Some("ms") => Some(1e-3),
        Some("m" | "min") => Some(60.0),
        Some("h") => Some(3600.0),
        _ => None,
    };
    let seconds = number
        .parse::<f64>()
        .ok()
        .zip(unit)
        .map(|(number, unit)| number * unit);
    match seconds.filter(|s| (0.0..=DURATION_MAX_SECS).contains(s)) {
        Some(seconds) => Ok(Duration::from_secs_f64(seconds)),
        None => Err("a time such as 2, 0.5, 500ms or 1m is expected".to_owned()),
    }
}

/// Most messages a second that a timer can pace.
const RATE_MAX_HZ: f64 = 1e6;

fn rate(text: &str) -> Result<f64, String> {
    match text.trim_end_matches("Hz").trim().parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= RATE_MAX_HZ => Ok(rate),
        _ => Err("a number of messages a second such as 10 or 0.5 is expected".to_owned()),
    }
}

/// What fits an announcement.
const ENCODING_MAX: usize = 32;

fn encoding(text: &str) -> Result<String, String> {
    let fits = (1..=ENCODING_MAX).contains(&text.len());
    if fits && text.bytes().all(|c| c.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "a word of at most {ENCODING_MAX} letters such as json, msgpack or protobuf is expected"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        for nonsense in ["", "s", "-1", "1d", "NaN", "1e30", "inf", "1 s"] {
            assert!(duration(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn rates_are_positive() {
        assert_eq!(rate("10"), Ok(10.0));
        assert_eq!(rate("0.5Hz"), Ok(0.5));
        for nonsense in ["0", "-1", "NaN", "1e9", "fast"] {
            assert!(rate(nonsense).is_err(), "{nonsense}");
        }
    }
}
