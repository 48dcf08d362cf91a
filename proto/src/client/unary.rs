//! Each request as a call of its own.

use std::time::Duration;

use tonic::Status;

use super::connections::Connection;
use crate::kv::kv_client::KvClient;
use crate::kv::pipelined_request::Request;
use crate::kv::pipelined_response::Response;

/// Calls the method that belongs to the request.
pub(super) async fn call(
    connection: Connection,
    request: Request,
    timeout: Duration,
) -> Result<Response, Status> {
    let mut client = KvClient::new(connection.channel.clone());
    macro_rules! methods {
        ($($variant:ident: $method:ident,)*) => {
            match request {$(
                Request::$variant(message) => {
                    let mut request = connection.request(message);
                    request.set_timeout(timeout);
                    Response::from(client.$method(request).await?.into_inner())
                }
            )*}
        };
    }
    Ok(methods! {
        OpenSession: open_session,
        Get: get,
        Put: put,
        Delete: delete,
        CompareAndSet: compare_and_set,
        Append: append,
        Txn: txn,
        Scan: scan,
        GrantLease: grant_lease,
        KeepAlive: keep_alive,
        RevokeLease: revoke_lease,
        Lock: lock,
        Unlock: unlock,
    })
}
