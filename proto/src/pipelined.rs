//! The requests that can travel on a pipeline, with the replies that belong to them.

use crate::kv::pipelined_request::Request;
use crate::kv::pipelined_response::Response;
use crate::kv::{
    AppendRequest, AppendResponse, CompareAndSetRequest, CompareAndSetResponse, DeleteRequest,
    DeleteResponse, GetRequest, GetResponse, GrantLeaseRequest, GrantLeaseResponse,
    KeepAliveRequest, KeepAliveResponse, LockRequest, LockResponse, OpenSessionRequest,
    OpenSessionResponse, PutRequest, PutResponse, RevokeLeaseRequest, RevokeLeaseResponse,
    ScanRequest, ScanResponse, TxnRequest, TxnResponse, UnlockRequest, UnlockResponse,
};

/// A request of the key-value API that has one reply.
pub trait KvRequest: Into<Request> + Send + 'static {
    /// The reply to it.
    type Reply: Into<Response> + Send + 'static;

    /// The reply, if it is of the right kind.
    fn reply(response: Response) -> Option<Self::Reply>;
}

macro_rules! pairs {
    ($($variant:ident: $request:ident => $reply:ident,)*) => {$(
        impl From<$request> for Request {
            fn from(request: $request) -> Request {
                Request::$variant(request)
            }
        }

        impl From<$reply> for Response {
            fn from(reply: $reply) -> Response {
                Response::$variant(reply)
            }
        }

        impl KvRequest for $request {
            type Reply = $reply;

            fn reply(response: Response) -> Option<$reply> {
                match response {
                    Response::$variant(reply) => Some(reply),
                    _ => None,
                }
            }
        }
    )*};
}

pairs! {
    OpenSession: OpenSessionRequest => OpenSessionResponse,
    Get: GetRequest => GetResponse,
    Put: PutRequest => PutResponse,
    Delete: DeleteRequest => DeleteResponse,
    CompareAndSet: CompareAndSetRequest => CompareAndSetResponse,
    Append: AppendRequest => AppendResponse,
    Txn: TxnRequest => TxnResponse,
    Scan: ScanRequest => ScanResponse,
    GrantLease: GrantLeaseRequest => GrantLeaseResponse,
    KeepAlive: KeepAliveRequest => KeepAliveResponse,
    RevokeLease: RevokeLeaseRequest => RevokeLeaseResponse,
    Lock: LockRequest => LockResponse,
    Unlock: UnlockRequest => UnlockResponse,
}
