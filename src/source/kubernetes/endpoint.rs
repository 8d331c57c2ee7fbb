//! How to reach the API server of a cluster in a kubeconfig.
//! <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#Cluster>

use rustls_pki_types::ServerName;

use super::entry::Entry;
use crate::error::Error;
use crate::http::{Authorities, NamedProxy, Terms, Url};

/// An API server, and the TLS settings and the proxy for it.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) server: Url,
    pub(super) tls: Terms,
    pub(super) proxy: Option<NamedProxy>,
}

impl Endpoint {
    /// The endpoint of a cluster.
    ///
    /// # Errors
    /// `CONFIGURATION` if the cluster has a member that cannot be used.
    pub(super) fn of(cluster: &Entry) -> Result<Endpoint, Error> {
        refuse_insecure(cluster)?;
        let server = Url::parse(cluster.required("server")?)
            .map_err(|why| cluster.error(format!("has an invalid server: it {why}")))?;
        let (authorities, server_name) = (authorities(cluster)?, server_name(cluster)?);
        let proxy = cluster.text("proxy-url")?;
        let proxy = proxy
            .map(|address| NamedProxy::new(address, "proxy-url of the kubeconfig"))
            .transpose()?;
        let how_to_identify = Some("add a client certificate to the user in the kubeconfig");
        let tls = Terms { authorities, server_name, how_to_identify, ..Terms::default() };
        Ok(Endpoint { server, tls, proxy })
    }
}

fn refuse_insecure(cluster: &Entry) -> Result<(), Error> {
    match cluster.is_true("insecure-skip-tls-verify")? {
        true => Err(cluster
            .error("has insecure-skip-tls-verify, which would expose the credentials")
            .fix("set certificate-authority instead")),
        false => Ok(()),
    }
}

fn authorities(cluster: &Entry) -> Result<Option<Authorities>, Error> {
    let pem = cluster.pem("certificate-authority")?;
    Ok(pem.map(|(pem, place)| Authorities::Pem(pem, place)))
}

fn server_name(cluster: &Entry) -> Result<Option<ServerName<'static>>, Error> {
    let name = cluster.text("tls-server-name")?;
    name.map(|name| {
        ServerName::try_from(name.to_owned())
            .map_err(|_| cluster.error("has a tls-server-name that is not a host name"))
    })
    .transpose()
}
