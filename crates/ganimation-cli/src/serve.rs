//! `ganimation serve`: a local page with a slider for each action unit.

mod app;
mod body;
mod facts;
mod guard;
mod lane;
mod listen;
mod page;
mod rejection;
mod reply;
mod sessions;
mod studio;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use clap::Args;

use super::inputs::Networks;
use super::output::{note, say};
use crate::error::{Error, Result};

const EXAMPLES: &str = "Examples:
  Serve the page at http://127.0.0.1:7860 and open it in the browser:
    ganimation serve --open

  Use any free port, and your own weights:
    ganimation serve --port 0 --weights runs/experiment_1/generator.safetensors

  Allow other machines of a trusted network (there is no password):
    ganimation serve --host 0.0.0.0 --allow-host my-computer.local

  Behind an HTTPS proxy with a password:
    ganimation serve --allow-host faces.example.org";

/// Serve a local page with sliders that move the face in a photo
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Serve {
    /// Port to listen on; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = 7860)]
    port: u16,

    /// Address to listen on; with the default, only this machine can use the page
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_parser = host)]
    host: IpAddr,

    /// Additional allowed host name, of this machine or of a proxy (also with HTTPS); may be repeated
    #[arg(long, value_name = "NAME", value_parser = guard::host_name)]
    allow_host: Vec<String>,

    /// Open the page in the browser
    #[arg(long)]
    open: bool,

    #[command(flatten)]
    networks: Networks,
}

impl Serve {
    pub(super) fn run(self) -> Result<()> {
        let address = SocketAddr::new(self.host, self.port);
        let failure = |source| Error::Serve { address, source };
        // Before the weights are read, so that a port in use is reported immediately.
        let listener = TcpListener::bind(address).map_err(failure)?;
        let bound = listener.local_addr().map_err(failure)?;
        let server = app::Server::new(self.networks.load()?, self.networks.options())?;
        let names = guard::Names {
            bound: bound.ip(),
            allowed: self.allow_host.into(),
        };
        let app = app::router(server, names);

        // Before the address is printed, because the user can press Ctrl-C immediately.
        let stopped = listen::ctrl_c();
        let url = format!("http://{bound}");
        say(&url)?;
        if !self.host.is_loopback() {
            note("warning: anyone who can reach this address can use the page; there is no password");
        }
        note("press Ctrl-C to stop");
        if self.open {
            open(&url);
        }
        listen::run(listener, app, &stopped).map_err(failure)
    }
}

fn host(text: &str) -> Result<IpAddr, std::net::AddrParseError> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        address => address.parse(),
    }
}

/// Asks the system to open a page. If this fails, the user can use the printed address.
fn open(url: &str) {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let mut command = Command::new(program);
    command.arg(url).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        note(format_args!(
            "warning: cannot open the browser ({program}: {error})"
        ));
    }
}
