use super::*;

fn hosts(entries: &[&str]) -> AllowedHosts {
    AllowedHosts::new(entries.iter().map(|entry| entry.parse().unwrap()), &[])
}

#[test]
fn an_entry_allows_its_own_scheme_host_and_port_only() {
    let hosts = hosts(&["https://api.example.com", "redis://cache.example.com:6380"]);
    assert!(hosts.allows("https", "api.example.com", None));
    assert!(hosts.allows("https", "api.example.com", Some(443)));
    assert!(hosts.allows("redis", "cache.example.com", Some(6380)));
    for (scheme, host, port) in [
        ("http", "api.example.com", None),
        ("https", "api.example.com", Some(8443)),
        ("https", "example.com", None),
        ("https", "api.example.com.evil.test", None),
        ("redis", "cache.example.com", None),
        ("ftp", "api.example.com", None),
        ("https", "", None),
        ("https", "not a host", None),
    ] {
        assert!(!hosts.allows(scheme, host, port), "{scheme}://{host}:{port:?}");
    }
}

#[test]
fn nothing_is_allowed_without_an_entry() {
    assert!(!AllowedHosts::default().allows("https", "example.com", None));
    assert!(!AllowedHosts::default().allows_self("http"));
}

#[test]
fn stars_stand_for_a_scheme_a_host_its_first_labels_or_a_port() {
    assert!(hosts(&["*://*:*"]).allows("amqp", "anything.test", Some(1)));
    assert!(hosts(&["*://localhost:*"]).allows("http", "localhost", None));
    let below = hosts(&["http://*.Example.COM"]);
    assert!(below.allows("http", "a.b.example.com", None));
    assert!(!below.allows("http", "example.com", None));
    assert!(!below.allows("http", "badexample.com", None));
    let any_host = hosts(&["https://*"]);
    assert!(any_host.allows("https", "example.com", None));
    assert!(!any_host.allows("https", "example.com", Some(444)));
}

#[test]
fn a_range_of_ports_excludes_its_end() {
    let hosts = hosts(&["http://example.com:8000..9000"]);
    assert!(hosts.allows("http", "example.com", Some(8000)));
    assert!(hosts.allows("http", "example.com", Some(8999)));
    assert!(!hosts.allows("http", "example.com", Some(9000)));
    assert!(!hosts.allows("http", "example.com", Some(7999)));
    assert!(!hosts.allows("http", "example.com", None));
}

#[test]
fn networks_match_addresses_and_never_names() {
    let v4 = hosts(&["http://10.1.2.3/8:*"]);
    assert!(v4.allows("http", "10.200.0.1", Some(8080)));
    assert!(!v4.allows("http", "11.0.0.1", Some(8080)));
    assert!(!v4.allows("http", "ten.example.com", Some(8080)));
    let v6 = hosts(&["http://2001:db8::/32", "http://ff00::/8:443"]);
    assert!(v6.allows("http", "[2001:db8:abcd::1]", None));
    assert!(v6.allows("http", "2001:db8::1", None));
    assert!(!v6.allows("http", "[2001:db9::1]", None));
    assert!(v6.allows("http", "[ff02::1]", Some(443)));
}

#[test]
fn addresses_are_compared_by_value() {
    let hosts = hosts(&["http://[::1]", "http://127.0.0.1:3000"]);
    assert!(hosts.allows("http", "[0:0:0:0:0:0:0:1]", Some(80)));
    assert!(!hosts.allows("http", "[::2]", None));
    assert!(hosts.allows("http", "127.0.0.1", Some(3000)));
    assert!(!hosts.allows("http", "localhost", Some(3000)));
}

#[test]
fn self_is_for_requests_without_a_host() {
    let hosts = hosts(&["http://self"]);
    assert!(hosts.allows_self("http"));
    assert!(!hosts.allows_self("https"));
    assert!(!hosts.allows("http", "self", None));
    assert!(AllowedHosts::new(["*://*:*".parse().unwrap()], &[]).allows_self("http"));
}

#[test]
fn all_components_means_the_ones_of_this_application() {
    let (chat, tasks) = ("chat".parse().unwrap(), "tasks".parse().unwrap());
    let hosts = AllowedHosts::new(["http://*.spin.internal".parse().unwrap()], &[&chat, &tasks]);
    assert!(hosts.allows("http", "tasks.spin.internal", None));
    assert!(!hosts.allows("http", "other.spin.internal", None));
    assert!(!hosts.allows("http", "a.tasks.spin.internal", None));
}

#[test]
fn an_entry_tells_which_component_it_chains_to() {
    let entry: AllowedHost = "http://tasks.spin.internal".parse().unwrap();
    assert_eq!(entry.component(), Some("tasks"));
    assert_eq!(
        "http://example.com".parse::<AllowedHost>().unwrap().component(),
        None
    );
}

#[test]
fn an_empty_value_leaves_no_entry() {
    for text in ["", "http://", "https://"] {
        assert_eq!(AllowedHost::from_rendered(text), Ok(None));
    }
    assert!(AllowedHost::from_rendered("redis://").is_err());
    assert!(
        "".parse::<AllowedHost>().is_err(),
        "an entry that is empty without variables stays an error"
    );
}

#[test]
fn entries_print_in_full() {
    for (text, full) in [
        ("https://api.example.com", "https://api.example.com:443"),
        ("*://*:*", "*://*:*"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://*.example.com:1..2", "http://*.example.com:1..2"),
        ("http://10.1.2.3/8", "http://10.0.0.0/8:80"),
        ("http://self", "http://self:80"),
    ] {
        assert_eq!(text.parse::<AllowedHost>().unwrap().to_string(), full);
    }
}

#[test]
fn what_spin_refuses_is_refused() {
    for bad in [
        "*",
        ":",
        "?",
        "example.com",
        "example.com:8080",
        "[::1]",
        "[::1]:8080",
        "insecure:allow-all",
        "http://example.com:notaport",
        "http://example.com:99999",
        "http://example.com:8080..70000",
        "http://*.example.com:8080..",
        "http://self:notaport",
        "http://127.0.0.1:notaport",
        "http://[::1]:notaport",
        "http://example.com:8080/p",
        "http://example.com/p",
        "http://*.example.com/p",
        "http://127.0.0.0/24/p",
        "http://ff00::/8/extra",
        "http://[::1]/foo",
        "http://[::1",
        "http://[::1]junk",
        "http://[::1]::80",
        "http://*.",
        "http://*.*.example.com",
        "http://a*.example.com",
        "http://*.127.0.0.1",
        "http://*.[::1]",
        "http://example%GG.com",
        "http://exa[mple.com",
        "http://example.com:80:90",
        "http://example.com//",
        "http://self//",
        "{http,https}://example.com",
        "http://{a,b}.example.com",
        "http://example.com:{1,2}",
        "h2c://example.com:80",
        "://example.com:80",
        "amqp://example.com",
        "redis://user:secret@cache.example.com:6379",
        "redis://cache.example.com:6379/0",
    ] {
        assert!(bad.parse::<AllowedHost>().is_err(), "{bad:?} must be refused");
    }
}
