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
/// Sessions are resumed for this time, which saves most of a handshake; then the server's certificate is looked
/// at again.
const RESUMED_FOR: Duration = Duration::from_secs(30);
/// Servers whose sessions are kept, for each of the settings.
const MAX_SESSIONS: usize = 256;

/// The settings that checks share.
#[derive(Default)]
pub(super) struct Configs {
    made: RefCell<HashMap<Tls, Made>>,
}

struct Made {
    /// When the files were read.
    read: Instant,
    /// Since when sessions are resumed.
    resumed_since: Instant,
    config: Arc<ClientConfig>,
}

impl Configs {
    /// The settings for a check. An error says in words why there are none.
    pub(super) fn get(&self, tls: &Tls) -> Result<Arc<ClientConfig>, String> {
        self.get_at(Instant::now(), tls)
    }

    fn get_at(&self, now: Instant, tls: &Tls) -> Result<Arc<ClientConfig>, String> {
        let mut made = self.made.borrow_mut();
        if let Some(made) = made.get_mut(tls).filter(|made| now < made.read + FRESH) {
            if now >= made.resumed_since + RESUMED_FOR {
                let mut config = ClientConfig::clone(&made.config);
                config.resumption = Resumption::in_memory_sessions(MAX_SESSIONS);
                made.config = Arc::new(config);
                made.resumed_since = now;
            }
            return Ok(made.config.clone());
        }
        let config = Arc::new(make(tls)?);
        // Those of checks that are gone would stay for ever.
        made.retain(|_, made| now < made.read + FRESH);
        let kept = Made {
            read: now,
            resumed_since: now,
            config: config.clone(),
        };
        made.insert(tls.clone(), kept);
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
    config.resumption = Resumption::in_memory_sessions(MAX_SESSIONS);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Sessions are forgotten in time for a certificate that has expired to be seen.
    #[test]
    fn sessions_are_resumed_for_a_while() {
        let tls = Tls {
            verify: false,
            ca: None,
        };
        let configs = Configs::default();
        let began = Instant::now();
        let get = |after: Duration| configs.get_at(began + after, &tls).expect("settings");
        let first = get(Duration::ZERO);
        let soon = get(RESUMED_FOR - Duration::from_secs(1));
        assert!(Arc::ptr_eq(&first, &soon));
        let later = get(RESUMED_FOR);
        assert!(!Arc::ptr_eq(&first, &later));
        assert!(Arc::ptr_eq(
            &later,
            &get(RESUMED_FOR * 2 - Duration::from_secs(1))
        ));
        assert!(!Arc::ptr_eq(&later, &get(RESUMED_FOR * 2)));
    }
}
