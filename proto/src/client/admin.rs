//! What operators ask.

use std::future::Future;
use std::time::Duration;

use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::attempts::Repeat;
use super::error::ClientError;
use super::kv::Client;
use crate::admin::admin_client::AdminClient;
use crate::admin::change_members_request::Change;
use crate::admin::{
    AddGroupRequest, ChangeMembersRequest, ListGroupsRequest, ListGroupsResponse,
    ListMembersRequest, ListMembersResponse, Member, RebalanceRequest, SnapshotRequest,
    StatusRequest, StatusResponse, TransferLeaderRequest,
};

impl Client {
    /// What the node that is asked thinks of itself and of its cluster.
    pub async fn status(&mut self) -> Result<StatusResponse, ClientError> {
        self.status_of_group(0).await
    }

    /// The same of one of its groups.
    pub async fn status_of_group(&mut self, group: u32) -> Result<StatusResponse, ClientError> {
        self.administer(Repeat::Read, StatusRequest { group }, |mut client, request| async move {
            client.status(request).await
        })
        .await
    }

    /// Who belongs to a group.
    pub async fn list_members(&mut self, group: u32) -> Result<ListMembersResponse, ClientError> {
        let message = ListMembersRequest { group };
        self.administer(Repeat::Read, message, |mut client, request| async move {
            client.list_members(request).await
        })
        .await
    }

    /// Changes the members of a group; returns when the change is complete, with the new members.
    pub async fn change_members(
        &mut self,
        group: u32,
        change: Change,
    ) -> Result<Vec<Member>, ClientError> {
        let timeout_ms = self.admin_timeout_ms();
        let message = ChangeMembersRequest { group, change: Some(change), timeout_ms };
        let response = self
            .administer(Repeat::Write, message, |mut client, request| async move {
                client.change_members(request).await
            })
            .await?;
        Ok(response.members)
    }

    /// Hands leadership of a group over to a node; 0: to whichever voter is furthest. Returns the
    /// new leader.
    pub async fn transfer_leader(&mut self, group: u32, to: u64) -> Result<u64, ClientError> {
        let timeout_ms = self.admin_timeout_ms();
        let message = TransferLeaderRequest { group, to, timeout_ms };
        let response = self
            .administer(Repeat::Write, message, |mut client, request| async move {
                client.transfer_leader(request).await
            })
            .await?;
        Ok(response.leader)
    }

    /// Adds a group; returns its number when all its keys have moved to it. What takes longer than this
    /// client is patient goes on.
    pub async fn add_group(&mut self) -> Result<u32, ClientError> {
        let timeout_ms = self.admin_timeout_ms();
        let message = AddGroupRequest { timeout_ms };
        let response = self
            .administer(Repeat::Write, message, |mut client, request| async move {
                client.add_group(request).await
            })
            .await?;
        Ok(response.group)
    }

    /// Moves replicas until each node has its share. `add`: nodes that come, with their addresses;
    /// `remove`: nodes that are to have none any more. Returns how many changes of members it took.
    pub async fn rebalance(
        &mut self,
        add: impl IntoIterator<Item = (u64, String)>,
        remove: Vec<u64>,
    ) -> Result<u32, ClientError> {
        let timeout_ms = self.admin_timeout_ms();
        let message = RebalanceRequest { add: add.into_iter().collect(), remove, timeout_ms };
        let response = self
            .administer(Repeat::Write, message, |mut client, request| async move {
                client.rebalance(request).await
            })
            .await?;
        Ok(response.changes)
    }

    /// The groups, as the node that is asked knows them.
    pub async fn list_groups(&mut self) -> Result<ListGroupsResponse, ClientError> {
        let message = ListGroupsRequest {};
        self.administer(Repeat::Read, message, |mut client, request| async move {
            client.list_groups(request).await
        })
        .await
    }

    /// Lets the node that is asked take a snapshot now; returns the last log index in it.
    pub async fn snapshot(&mut self, group: u32) -> Result<u64, ClientError> {
        let message = SnapshotRequest { group };
        let response = self
            .administer(Repeat::Read, message, |mut client, request| async move {
                client.snapshot(request).await
            })
            .await?;
        Ok(response.index)
    }

    async fn administer<M, R, F>(
        &mut self,
        repeat: Repeat,
        message: M,
        call: impl Fn(AdminClient<Channel>, Request<M>) -> F,
    ) -> Result<R, ClientError>
    where
        M: Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        self.operate(repeat, |attempt| {
            let mut request = attempt.connection.request(message.clone());
            request.set_timeout(attempt.timeout);
            let result = call(AdminClient::new(attempt.connection.channel.clone()), request);
            async move { Ok(attempt.within(result).await?.into_inner()) }
        })
        .await
    }

    /// The server gives up a little before this client does.
    fn admin_timeout_ms(&self) -> u32 {
        let patience = self.options.attempt_timeout.min(self.options.timeout);
        let patience = patience.saturating_sub(Duration::from_millis(100));
        u32::try_from(patience.as_millis()).unwrap_or(u32::MAX).max(1)
    }
}
