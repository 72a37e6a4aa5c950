use super::*;

fn parse(url: &str) -> Result<Address, Error> {
    Address::parse(url, None)
}

#[test]
fn an_address_is_displayed_without_credentials() {
    for (url, displayed) in [
        ("redis://redis.example", "redis.example:6379, database 0"),
        (
            "redis://me:s3cret@redis.example:7000/3",
            "redis.example:7000, database 3",
        ),
        ("rediss://:s3cret@redis.example", "redis.example:6379, database 0"),
        ("unix:///run/redis.sock", "/run/redis.sock, database 0"),
        (
            "redis-sentinel://me:s3cret@a.example,b.example:5000/main/2?sentinel_password=s3cret",
            "main of the sentinels a.example:26379, b.example:5000, database 2",
        ),
        (
            "rediss-cluster://:s3cret@a.example,[::1]:7001",
            "the cluster of a.example:6379, [::1]:7001",
        ),
    ] {
        assert_eq!(
            parse(url).map(|address| address.to_string()),
            Ok(displayed.to_owned()),
            "{url}"
        );
    }
}

#[test]
fn what_is_no_address_is_refused_without_being_quoted() {
    for (url, says) in [
        ("", "redis://"),
        ("localhost", "redis://"),
        ("http://:s3cret@redis.example", "redis://"),
        ("redis://:s3cret@", "redis://"),
        ("redis://h:s3cret", "redis://"),
        ("redis-sentinel://:s3cret@a.example:26379", "mymaster"),
        ("redis-sentinel://:s3cret@a.example:26379/", "mymaster"),
        ("redis-sentinel://:s3cret@/main", "each host"),
        ("redis-sentinel://a.example,/main", "each host"),
        ("redis-sentinel://a.example/main/s3cret", "database"),
        (
            "redis-sentinel://a.example/main?password=s3cret",
            "sentinel_password",
        ),
        ("redis-sentinel://:s3cr#et@a.example/main", "%23"),
        ("redis-cluster://:s3cret@a.example/1", "database 0"),
        ("redis-cluster://a.example:s3cret", "each host"),
        ("redis-cluster://", "each host"),
    ] {
        match parse(url).err() {
            Some(Error::Invalid(message)) => {
                assert!(message.contains(says), "{url}: {message}");
                assert!(!message.contains("s3cret"), "{url}: {message}");
            }
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[test]
fn sentinels_and_servers_have_credentials_of_their_own() {
    let url = "redis-sentinel://app:pa%2Fss@a.example/main?sentinel_username=watch&sentinel_password=p%40ss";
    let address = parse(url).unwrap();
    assert_eq!(address.access.credentials.username(), Some("app"));
    assert_eq!(address.access.credentials.password(), Some("pa/ss"));
    let Topology::Sentinel(sentinels) = address.topology else {
        panic!("these are sentinels");
    };
    assert_eq!(sentinels.username.as_deref(), Some("watch"));
    assert_eq!(sentinels.password.as_deref(), Some("p@ss"));
}

#[test]
fn an_authority_must_be_one_and_needs_tls() {
    for (url, pem, says) in [
        ("redis://a.example", "", "rediss"),
        ("redis-cluster://a.example", "", "rediss"),
        ("rediss-cluster://a.example", "", "BEGIN CERTIFICATE"),
        ("rediss://a.example", "this is a key", "BEGIN CERTIFICATE"),
        (
            "rediss://a.example",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "cannot be trusted",
        ),
    ] {
        match Address::parse(url, Some(pem.as_bytes())).err() {
            Some(Error::Invalid(message)) => assert!(message.contains(says), "{url}: {message}"),
            other => panic!("{url}: {other:?}"),
        }
    }
}
