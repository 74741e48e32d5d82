//! TLS: which certificates are believed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::time::Instant;
use vrrp_config::Tls;

/// Files with certificates are read again after this time.
const FRESH: Duration = Duration::from_secs(300);

/// The settings that checks share.
#[derive(Default)]
pub(super) struct Configs {
    made: RefCell<HashMap<Tls, (Instant, Arc<ClientConfig>)>>,
}

impl Configs {
    /// The settings for a check. An error says in words why there are none.
    pub(super) fn get(&self, tls: &Tls) -> Result<Arc<ClientConfig>, String> {
        let now = Instant::now();
        let mut made = self.made.borrow_mut();
        if let Some((_, config)) = made.get(tls).filter(|(at, _)| now < *at + FRESH) {
            return Ok(config.clone());
        }
        let config = Arc::new(make(tls)?);
        // Those of checks that are gone would stay for ever.
        made.retain(|_, (at, _)| now < *at + FRESH);
        made.insert(tls.clone(), (now, config.clone()));
        Ok(config)
    }
}

fn make(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let mut config = match tls.verify {
        true => builder.with_root_certificates(roots(tls.ca.as_deref())?),
        false => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    }
    .with_no_client_auth();
    // A certificate that has expired since would not be seen.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let shown = path.display();
            let unreadable = |error| format!("{shown} cannot be read: {error}");
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                let certificate = certificate.map_err(unreadable)?;
                let added = roots.add(certificate);
                added.map_err(|error| format!("{shown}: {error}"))?;
            }
            if roots.is_empty() {
                return Err(format!("{shown} holds no certificate"));
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
            if roots.is_empty() {
                return Err("this host has no certificates of authorities".into());
            }
        }
    }
    Ok(roots)
}

/// `verify = no`: any certificate is believed, whose key was used for this very connection.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
