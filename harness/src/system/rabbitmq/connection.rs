//! A connection with one channel, on which every publish is confirmed.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::wire::{self, Frame, MethodId, Reader, Writer};

/// The channel of a connection that has one only.
const CHANNEL: u16 = 1;
/// A message that is kept on disk.
const PERSISTENT: u8 = 2;

/// What a server answers in place of what was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum AmqpError {
    /// The connection failed, or the other side did not keep to the protocol.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server closed the channel or the connection, and says why.
    #[error("{0}")]
    Closed(String),
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Confirmation {
    /// The queue has it.
    Confirmed,
    /// The server could not take responsibility for it.
    Refused,
    /// No queue is there to take it.
    Unroutable,
}

/// One caller at a time. After an error it must not be used again.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    /// Messages published so far, by which they are confirmed.
    published: u64,
}

impl Connection {
    /// Connects, as the user that the settings have, and opens the channel.
    pub(super) async fn open(address: SocketAddr) -> Result<Connection, AmqpError> {
        let mut connection = Connection::start(address).await?;
        let start_ok = Writer::method(wire::CONNECTION_START_OK)
            .flags_in_table("capabilities", &["publisher_confirms", "basic.nack"])
            .short_text("PLAIN")
            .long_text("\0guest\0guest")
            .short_text("en_US");
        connection.send(0, start_ok).await?;
        connection.expect(wire::CONNECTION_TUNE).await?;
        // One channel, and no heartbeats: who waits for an answer has a limit of time.
        let tune_ok = Writer::method(wire::CONNECTION_TUNE_OK)
            .short(CHANNEL)
            .long(wire::FRAME_BYTES_MAX)
            .short(0);
        connection.send(0, tune_ok).await?;
        let open = Writer::method(wire::CONNECTION_OPEN).short_text("/").short_text("").octet(0);
        connection.ask(0, open, wire::CONNECTION_OPEN_OK).await?;
        let open = Writer::method(wire::CHANNEL_OPEN).short_text("");
        connection.ask(CHANNEL, open, wire::CHANNEL_OPEN_OK).await?;
        let select = Writer::method(wire::CONFIRM_SELECT).octet(0);
        connection.ask(CHANNEL, select, wire::CONFIRM_SELECT_OK).await?;
        Ok(connection)
    }

    /// Connects as far as the server's first word.
    pub(super) async fn start(address: SocketAddr) -> Result<Connection, AmqpError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut connection = Connection { stream: BufReader::new(stream), published: 0 };
        connection.stream.get_mut().write_all(wire::PROTOCOL_HEADER).await?;
        connection.expect(wire::CONNECTION_START).await?;
        Ok(connection)
    }

    /// Declares a queue with these arguments; one that is there is not changed.
    pub(super) async fn declare(
        &mut self,
        queue: &str,
        arguments: &[(&str, &str)],
        declaration: Declaration,
    ) -> Result<(), AmqpError> {
        let bits = match declaration {
            Declaration::IfThere => 1,
            Declaration::Durable => 2,
        };
        let declare = Writer::method(wire::QUEUE_DECLARE)
            .short(0)
            .short_text(queue)
            .octet(bits)
            .text_table(arguments);
        self.ask(CHANNEL, declare, wire::QUEUE_DECLARE_OK).await?;
        Ok(())
    }

    /// Publishes a message to a queue, and waits until it is confirmed.
    pub(super) async fn publish(
        &mut self,
        queue: &str,
        message: &[u8],
    ) -> Result<Confirmation, AmqpError> {
        let mandatory = 1;
        let publish = Writer::method(wire::BASIC_PUBLISH)
            .short(0)
            .short_text("")
            .short_text(queue)
            .octet(mandatory);
        let header = Writer::default()
            .short(wire::BASIC)
            .short(0)
            .longlong(message.len() as u64)
            .short(wire::HAS_DELIVERY_MODE)
            .octet(PERSISTENT);
        let mut bytes = wire::frame(wire::METHOD, CHANNEL, &publish.into_bytes());
        bytes.extend(wire::frame(wire::HEADER, CHANNEL, &header.into_bytes()));
        bytes.extend(wire::frame(wire::BODY, CHANNEL, message));
        self.published += 1;
        self.stream.get_mut().write_all(&bytes).await?;
        let mut is_returned = false;
        loop {
            let (method, payload) = self.method().await?;
            let mut arguments = Reader(&payload);
            match method {
                wire::BASIC_RETURN => {
                    self.content().await?;
                    is_returned = true;
                }
                wire::BASIC_ACK | wire::BASIC_NACK => {
                    if arguments.longlong()? < self.published {
                        continue;
                    }
                    return Ok(match (method, is_returned) {
                        (wire::BASIC_NACK, _) => Confirmation::Refused,
                        (_, true) => Confirmation::Unroutable,
                        (_, false) => Confirmation::Confirmed,
                    });
                }
                _ => return Err(unexpected(method)),
            }
        }
    }

    /// Takes a message out of a queue, for good; none if it is empty.
    pub(super) async fn take(&mut self, queue: &str) -> Result<Option<Vec<u8>>, AmqpError> {
        let needs_no_acknowledgement = 1;
        let get = Writer::method(wire::BASIC_GET)
            .short(0)
            .short_text(queue)
            .octet(needs_no_acknowledgement);
        self.send(CHANNEL, get).await?;
        match self.method().await?.0 {
            wire::BASIC_GET_EMPTY => Ok(None),
            wire::BASIC_GET_OK => Ok(Some(self.content().await?)),
            method => Err(unexpected(method)),
        }
    }

    async fn send(&mut self, channel: u16, method: Writer) -> io::Result<()> {
        let frame = wire::frame(wire::METHOD, channel, &method.into_bytes());
        self.stream.get_mut().write_all(&frame).await
    }

    async fn ask(
        &mut self,
        channel: u16,
        method: Writer,
        answer: MethodId,
    ) -> Result<(), AmqpError> {
        self.send(channel, method).await?;
        self.expect(answer).await
    }

    async fn expect(&mut self, expected: MethodId) -> Result<(), AmqpError> {
        match self.method().await?.0 {
            method if method == expected => Ok(()),
            method => Err(unexpected(method)),
        }
    }

    /// The next method, with its arguments.
    async fn method(&mut self) -> Result<(MethodId, Vec<u8>), AmqpError> {
        let frame = self.frame().await?;
        if frame.kind != wire::METHOD {
            return Err(wire::malformed("no method").into());
        }
        let mut reader = Reader(&frame.payload);
        let method = (reader.short()?, reader.short()?);
        if matches!(method, wire::CONNECTION_CLOSE | wire::CHANNEL_CLOSE) {
            let (code, text) = (reader.short()?, reader.short_text()?);
            return Err(AmqpError::Closed(format!("{code}: {text}")));
        }
        Ok((method, reader.0.to_vec()))
    }

    /// The message that follows a method.
    async fn content(&mut self) -> Result<Vec<u8>, AmqpError> {
        let header = self.frame().await?;
        let mut reader = Reader(&header.payload);
        let (_class, _weight, size) = (reader.short()?, reader.short()?, reader.longlong()?);
        let mut message = Vec::new();
        while (message.len() as u64) < size {
            let body = self.frame().await?;
            if body.kind != wire::BODY || body.payload.is_empty() {
                return Err(wire::malformed("a message without its end").into());
            }
            message.extend(body.payload);
        }
        Ok(message)
    }

    async fn frame(&mut self) -> io::Result<Frame> {
        loop {
            let frame = wire::read_frame(&mut self.stream).await?;
            if frame.kind != wire::HEARTBEAT {
                return Ok(frame);
            }
        }
    }
}

/// How a queue is declared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Declaration {
    /// Not at all: is it there?
    IfThere,
    /// It outlives a restart.
    Durable,
}

fn unexpected(method: MethodId) -> AmqpError {
    wire::malformed(&format!("method {}.{}", method.0, method.1)).into()
}
