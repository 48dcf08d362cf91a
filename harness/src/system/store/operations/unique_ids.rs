//! Numbers: the revision of a write, which is its place in the log.

use workloads::generator::Invocation;
use workloads::history::Value;

use super::Connection;
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    match invocation.f {
        "generate" => {
            let written = connection.kv.put("unique-ids", "").await?;
            Ok(Value::from(written.header.revision))
        }
        _ => Err(Failure::unknown(invocation)),
    }
}
