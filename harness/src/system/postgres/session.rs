//! A connection to one server that ends when it is dropped.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};

/// The user that owns everything.
pub(in crate::system) const USER: &str = "postgres";
const DATABASE: &str = "postgres";
/// What is not acknowledged by then ends the connection.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// The connection. The server rolls an open transaction back when it is dropped.
pub(in crate::system) struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl Session {
    pub(in crate::system) async fn open(
        address: SocketAddr,
    ) -> Result<Session, tokio_postgres::Error> {
        let (client, connection) = Config::new()
            .host(address.ip().to_string())
            .port(address.port())
            .user(USER)
            .dbname(DATABASE)
            .application_name("harness")
            .tcp_user_timeout(TCP_USER_TIMEOUT)
            .connect(NoTls)
            .await?;
        let connection = tokio::spawn(async move {
            // The client is told of errors too.
            let _ = connection.await;
        });
        Ok(Session { client, connection })
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
