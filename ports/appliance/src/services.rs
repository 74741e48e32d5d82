//! The services on the virtual addresses: a web page that shows the
//! host's name and status, and an echo that names the host.

use embassy_net::Stack;
use embassy_net::tcp::{Error, TcpSocket};
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_time::Duration;

use crate::text::Text;
use crate::{App, status};

const HTTP_PORT: u16 = 80;
const WHO_PORT: u16 = 7;
/// A client that says nothing for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const HEADER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n";

/// Serves the web page for ever, to one client after the other. Whatever is asked for, this is it.
pub(crate) async fn web(stack: Stack<'static>, app: &App) -> ! {
    let (mut incoming, mut outgoing) = ([0; 128], [0; 256]);
    loop {
        let mut socket = TcpSocket::new(stack, &mut incoming, &mut outgoing);
        socket.set_timeout(Some(PATIENCE));
        // A failure here is the client's loss alone.
        if socket.accept(HTTP_PORT).await.is_ok() {
            let _ = page(&mut socket, app).await;
            socket.close();
            let _ = socket.flush().await;
        }
        socket.abort();
        let _ = socket.flush().await;
    }
}

async fn page(socket: &mut TcpSocket<'_>, app: &App) -> Result<(), Error> {
    // Up to the empty line that ends a request.
    let mut ended = 0;
    while ended < 2 {
        let read = |octets: &mut [u8]| {
            for octet in &*octets {
                ended = match octet {
                    b'\n' => ended + 1,
                    b'\r' => ended,
                    _ => 0,
                };
            }
            (octets.len(), octets.len())
        };
        if socket.read_with(read).await? == 0 {
            return Ok(());
        }
    }
    write(socket, HEADER).await?;
    let mut text = Text::new();
    text.say("hello from ").say(&app.name).say("\n");
    let mut number = 0;
    loop {
        write(socket, text.as_str().as_bytes()).await?;
        text.clear();
        if !status::part(app, number, &mut text) {
            return Ok(());
        }
        number += 1;
    }
}

async fn write(socket: &mut TcpSocket<'_>, mut octets: &[u8]) -> Result<(), Error> {
    while !octets.is_empty() {
        let written = socket.write(octets).await?;
        octets = octets.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Answers each datagram with what it says, and the host's name behind it.
pub(crate) async fn who(stack: Stack<'static>, app: &App) -> ! {
    let (mut in_meta, mut out_meta) = ([PacketMetadata::EMPTY; 3], [PacketMetadata::EMPTY; 2]);
    let (mut incoming, mut outgoing) = ([0; 64], [0; 64]);
    let mut socket = UdpSocket::new(
        stack,
        &mut in_meta,
        &mut incoming,
        &mut out_meta,
        &mut outgoing,
    );
    let bound = socket.bind(WHO_PORT);
    defmt::assert!(bound.is_ok(), "the port is free");
    let mut buf = [0; 48];
    loop {
        // A datagram that is too long is nobody's.
        let Ok((len, from)) = socket.recv_from(&mut buf).await else {
            continue;
        };
        let name = app.name.as_bytes();
        let Some(rest) = buf.get_mut(len..).filter(|rest| rest.len() >= name.len()) else {
            continue;
        };
        for (octet, from) in rest.iter_mut().zip(name) {
            *octet = *from;
        }
        // The answer goes from the address that was asked.
        let answer = buf.get(..len + name.len()).unwrap_or_default();
        let _ = socket.send_to(answer, from).await;
    }
}
