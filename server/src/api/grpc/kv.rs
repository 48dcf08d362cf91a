//! The service for clients.

use proto::kv::kv_server::{Kv, KvServer};
use proto::kv::{
    CompareAndSetRequest, CompareAndSetResponse, DeleteRequest, DeleteResponse, GetRequest,
    GetResponse, OpenSessionRequest, OpenSessionResponse, PutRequest, PutResponse,
};
use tonic::{Request, Response, Status};

use super::router::Api;

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
        let limit = api.config.limits.message_bytes_max;
        KvServer::new(KvService(api))
            .max_decoding_message_size(limit)
            .max_encoding_message_size(limit)
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
        _request: Request<proto::kv::AppendRequest>,
    ) -> Result<Response<proto::kv::AppendResponse>, Status> {
        Err(Status::unimplemented("append"))
    }

    async fn txn(
        &self,
        _request: Request<proto::kv::TxnRequest>,
    ) -> Result<Response<proto::kv::TxnResponse>, Status> {
        Err(Status::unimplemented("txn"))
    }

    async fn scan(
        &self,
        _request: Request<proto::kv::ScanRequest>,
    ) -> Result<Response<proto::kv::ScanResponse>, Status> {
        Err(Status::unimplemented("scan"))
    }

    async fn grant_lease(
        &self,
        _request: Request<proto::kv::GrantLeaseRequest>,
    ) -> Result<Response<proto::kv::GrantLeaseResponse>, Status> {
        Err(Status::unimplemented("grant_lease"))
    }

    async fn keep_alive(
        &self,
        _request: Request<proto::kv::KeepAliveRequest>,
    ) -> Result<Response<proto::kv::KeepAliveResponse>, Status> {
        Err(Status::unimplemented("keep_alive"))
    }

    async fn revoke_lease(
        &self,
        _request: Request<proto::kv::RevokeLeaseRequest>,
    ) -> Result<Response<proto::kv::RevokeLeaseResponse>, Status> {
        Err(Status::unimplemented("revoke_lease"))
    }

    async fn lock(
        &self,
        _request: Request<proto::kv::LockRequest>,
    ) -> Result<Response<proto::kv::LockResponse>, Status> {
        Err(Status::unimplemented("lock"))
    }

    async fn unlock(
        &self,
        _request: Request<proto::kv::UnlockRequest>,
    ) -> Result<Response<proto::kv::UnlockResponse>, Status> {
        Err(Status::unimplemented("unlock"))
    }

    type WatchStream =
        tokio_stream::wrappers::ReceiverStream<Result<proto::kv::WatchResponse, Status>>;

    async fn watch(
        &self,
        _request: Request<proto::kv::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("watch"))
    }

    type PipelineStream =
        tokio_stream::wrappers::ReceiverStream<Result<proto::kv::PipelineResponse, Status>>;

    async fn pipeline(
        &self,
        _request: Request<tonic::Streaming<proto::kv::PipelineRequest>>,
    ) -> Result<Response<Self::PipelineStream>, Status> {
        Err(Status::unimplemented("pipeline"))
    }
}
