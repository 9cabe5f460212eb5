//! Access control: allowed requests, time limits, and security headers of every answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::rejection::Rejection;
use crate::error::{Error, Result};

/// Time limit for a request, from its header to its answer.
const TIME: Duration = Duration::from_secs(120);

/// Pages of other sites can send this header only with the server's permission, which this server never gives.
const MARK: HeaderName = HeaderName::from_static("x-ganimation");

/// Path prefix of the interface.
const INTERFACE: &str = "/api/";

const ANSWERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The host names of the server.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The address on which it listens.
    pub(super) bound: IpAddr,
    /// Additional allowed host names, of this machine or of a proxy.
    pub(super) allowed: Arc<[String]>,
}

/// Accepts only requests from the page itself, and applies the time limit.
pub(super) async fn guard(State(names): State<Names>, request: Request, next: Next) -> Response {
    let interface = request.uri().path().starts_with(INTERFACE);
    let mut response = if is_own(request.headers(), &names, interface) {
        let answer = timeout(TIME, next.run(request)).await;
        answer.unwrap_or_else(|_| Rejection::Slow.into_response())
    } else {
        Rejection::Foreign.into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in ANSWERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a request has this server as its host, and comes only from this server's page.
///
/// A site whose own name resolves to this machine (DNS rebinding) sends that name as the host. A page of another site
/// sends that site as the origin.
///
/// An HTTPS proxy forwards requests with an origin that begins with `https://`. It can replace its own name with this
/// server's address as the host.
fn is_own(headers: &HeaderMap, names: &Names, interface: bool) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
        return false;
    };
    let own_origin = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(scheme, site)| {
            let same = site.eq_ignore_ascii_case(host);
            match scheme {
                "http" => same,
                "https" => names.allow(site) && (same || is_own_host(host, names.bound)),
                _ => false,
            }
        })
    };
    (is_own_host(host, names.bound) || names.allow(host))
        && headers.get_all(header::ORIGIN).iter().all(own_origin)
        && (!interface || headers.contains_key(MARK))
}

impl Names {
    /// Whether a host, with or without a port, has an allowed name.
    fn allow(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        let name = authority.host();
        !host.contains('@')
            && self
                .allowed
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

/// Parses a host name. Ports and wildcards are errors.
pub(super) fn host_name(text: &str) -> Result<String> {
    let is_label = |label: &str| {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        !label.is_empty() && label.chars().all(letters)
    };
    if text.split('.').all(is_label) {
        return Ok(text.to_owned());
    }
    Err(Error::HostName {
        found: text.to_owned(),
    })
}

/// Whether the host is `localhost` or an IP address. Other names would need DNS. A server that only this machine can
/// use accepts only this machine's addresses.
fn is_own_host(host: &str, bound: IpAddr) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    if host.contains('@') {
        return false;
    }
    let name = authority.host();
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let name = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    let address = name.parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback() || !bound.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn addresses_are_own_hosts_and_names_are_not() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for host in ["localhost:7860", "LocalHost", "127.0.0.1:80", "[::1]:7860"] {
            assert!(is_own_host(host, loopback), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:7860",
            "127.0.0.1.evil.example",
            "a@127.0.0.1",
            "192.168.1.7:7860",
            "",
        ] {
            assert!(!is_own_host(host, loopback), "{host}");
        }
        let everywhere = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        assert!(is_own_host("192.168.1.7:7860", everywhere));
        assert!(!is_own_host("evil.example", everywhere));
    }

    #[test]
    fn allowed_names_are_own_hosts_and_their_pages_own_origins() {
        let names = Names {
            bound: Ipv4Addr::LOCALHOST.into(),
            allowed: ["faces.example".to_owned()].into(),
        };
        let own = |host: &'static str, origin: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            is_own(&headers, &names, false)
        };
        for (host, origin) in [
            ("faces.example", "https://faces.example"),
            ("Faces.example:7860", "http://faces.example:7860"),
            ("127.0.0.1:7860", "https://faces.example"),
            ("localhost:7860", "http://localhost:7860"),
        ] {
            assert!(own(host, origin), "{host} {origin}");
        }
        for (host, origin) in [
            ("faces.example", "https://evil.example"),
            ("faces.example", "http://faces.example:81"),
            ("evil.example", "https://faces.example"),
            ("evil.example", "https://evil.example"),
            ("127.0.0.1:7860", "http://faces.example"),
            ("127.0.0.1:7860", "https://faces.example.evil.example"),
            ("a@faces.example", "https://a@faces.example"),
            ("localhost:7860", "https://localhost:7860"),
            ("faces.example", "null"),
        ] {
            assert!(!own(host, origin), "{host} {origin}");
        }
    }

    #[test]
    fn a_host_name_has_no_port_and_no_wildcard() {
        for name in ["box", "box.local", "faces.example.org", "10.0.0.7"] {
            assert_eq!(host_name(name).unwrap(), name);
        }
        for text in ["*", "*.example", "box:80", "http://box", "", "a..b", "a@b"] {
            assert!(host_name(text).is_err(), "{text}");
        }
    }
}
