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
}
