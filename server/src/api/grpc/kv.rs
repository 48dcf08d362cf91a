//! The service for clients.

use proto::kv::kv_server::{Kv, KvServer};
use proto::kv::{
    AppendRequest, AppendResponse, CompareAndSetRequest, CompareAndSetResponse, DeleteRequest,
    DeleteResponse, GetRequest, GetResponse, GrantLeaseRequest, GrantLeaseResponse,
    KeepAliveRequest, KeepAliveResponse, LockRequest, LockResponse, OpenSessionRequest,
    OpenSessionResponse, PipelineRequest, PipelineResponse, PutRequest, PutResponse,
    RevokeLeaseRequest, RevokeLeaseResponse, ScanRequest, ScanResponse, TxnRequest, TxnResponse,
    UnlockRequest, UnlockResponse, WatchRequest,
};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use crate::security::{Caller, Right};

use super::pipeline::PipelineStream;
use super::router::Api;
use super::watch::{self, WatchStream};

/// The service for clients.
#[derive(Debug)]
pub struct KvService(Api);

impl KvService {
    /// For those who call it from within the process.
    pub fn new(api: Api) -> KvService {
        KvService(api)
    }

    /// As a gRPC service.
    pub fn server(api: Api) -> KvServer<KvService> {
        let limits = api.config.limits;
        // A frame of a pipeline ends with the reply that fills it.
        let reply_bytes_max = limits.reply_bytes_max + limits.message_bytes_max;
        KvServer::new(KvService(api))
            .max_decoding_message_size(limits.message_bytes_max)
            .max_encoding_message_size(reply_bytes_max)
    }
}

#[tonic::async_trait]
impl Kv for KvService {
    async fn open_session(
        &self,
        request: Request<OpenSessionRequest>,
    ) -> Result<Response<OpenSessionResponse>, Status> {
        self.0.handle(request).await
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        self.0.handle(request).await
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        self.0.handle(request).await
    }

    async fn delete(
        &self,
        request: Request<DeleteRequest>,
    ) -> Result<Response<DeleteResponse>, Status> {
        self.0.handle(request).await
    }

    async fn compare_and_set(
        &self,
        request: Request<CompareAndSetRequest>,
    ) -> Result<Response<CompareAndSetResponse>, Status> {
        self.0.handle(request).await
    }

    async fn append(
        &self,
        request: Request<AppendRequest>,
    ) -> Result<Response<AppendResponse>, Status> {
        self.0.handle(request).await
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        self.0.handle(request).await
    }

    async fn scan(&self, request: Request<ScanRequest>) -> Result<Response<ScanResponse>, Status> {
        self.0.handle(request).await
    }

    async fn grant_lease(
        &self,
        request: Request<GrantLeaseRequest>,
    ) -> Result<Response<GrantLeaseResponse>, Status> {
        self.0.handle(request).await
    }

    async fn keep_alive(
        &self,
        request: Request<KeepAliveRequest>,
    ) -> Result<Response<KeepAliveResponse>, Status> {
        self.0.handle(request).await
    }

    async fn revoke_lease(
        &self,
        request: Request<RevokeLeaseRequest>,
    ) -> Result<Response<RevokeLeaseResponse>, Status> {
        self.0.handle(request).await
    }

    async fn lock(&self, request: Request<LockRequest>) -> Result<Response<LockResponse>, Status> {
        self.0.handle(request).await
    }

    async fn unlock(
        &self,
        request: Request<UnlockRequest>,
    ) -> Result<Response<UnlockResponse>, Status> {
        self.0.handle(request).await
    }

    type WatchStream = WatchStream;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let stream = watch::start(&self.0, request.get_ref());
        stream.map(Response::new).map_err(|refusal| self.0.status_of(refusal))
    }

    type PipelineStream = BoxStream<PipelineResponse>;

    async fn pipeline(
        &self,
        request: Request<Streaming<PipelineRequest>>,
    ) -> Result<Response<Self::PipelineStream>, Status> {
        // In front of every port there is a guard, who says who calls; without one nobody may write.
        let caller = request.extensions().get::<Caller>().copied();
        let caller = caller.unwrap_or(Caller::Client(Right::Read));
        let stream = PipelineStream::new(self.0.clone(), caller, request.into_inner());
        Ok(Response::new(Box::pin(stream)))
    }
}
