//! Certificates.

use std::io::Read;

use super::*;

/// A certificate for `site`, signed by an authority whose certificate is in a file; and a web server that
/// has it.
fn secure(site: &str) -> (u16, Scratch) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = authority.self_signed(&key).expect("a certificate");
    let ca = scratch("ca.pem");
    std::fs::write(&*ca, certificate.pem()).expect("a file");
    let issuer = rcgen::Issuer::new(authority, key);
    let own_key = rcgen::KeyPair::generate().expect("a key");
    let own = rcgen::CertificateParams::new(vec![site.to_owned()]).expect("a name");
    let own = own.signed_by(&own_key, &issuer).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(own_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .expect("a certificate that fits its key");
    let config = Arc::new(config);
    let port = serve(move |mut stream| {
        let Ok(mut tls) = rustls::ServerConnection::new(config.clone()) else {
            return;
        };
        let mut tls = rustls::Stream::new(&mut tls, &mut stream);
        if tls.read(&mut [0; 4096]).is_ok() {
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    (port, ca)
}

#[test]
fn a_certificate_is_judged() {
    let (port, ca) = secure("www.example.org");
    let ca = ca.display();
    let ask = |more: &str| {
        let text = answer(&format!(
            "http = https://127.0.0.1:{port}/\nbody = ok\n{more}"
        ));
        text.replace(&port.to_string(), "P")
    };
    let passed = "passed: 127.0.0.1:P answered 200 OK";
    assert_eq!(ask(&format!("host = www.example.org\nca = {ca}")), passed);
    assert_eq!(ask("verify = no"), passed);
    for (more, expected) in [
        (format!("ca = {ca}"), "not valid for name"),
        (
            format!("host = www.example.com\nca = {ca}"),
            "not valid for name",
        ),
        (
            "host = www.example.org".into(),
            "invalid peer certificate: UnknownIssuer",
        ),
        ("ca = /nonexistent".into(), "/nonexistent cannot be read"),
    ] {
        let text = ask(&more);
        assert!(
            text.starts_with("failed: ") && text.contains(expected),
            "{text}"
        );
    }
    // It does not even speak TLS.
    let plain = serve(|s| flood(s, b"220 hello\r\n"));
    let text = answer(&format!(
        "http = https://127.0.0.1:{plain}/\nverify = no\n{SHORT}"
    ));
    assert!(text.starts_with("failed: "), "{text}");
    let hung = serve(hang);
    assert_eq!(
        answer(&format!(
            "http = https://127.0.0.1:{hung}/\nverify = no\n{SHORT}"
        )),
        format!("failed: 127.0.0.1:{hung} did not finish the handshake of TLS within 0.3 s")
    );
}
