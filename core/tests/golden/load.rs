//! Reads the files of frames beside it.

const FILES: [(&str, &str); 6] = [
    ("keepalived", include_str!("keepalived.hex")),
    ("frr", include_str!("frr.hex")),
    ("linux", include_str!("linux.hex")),
    ("groups", include_str!("groups.hex")),
    ("vectors", include_str!("vectors.hex")),
    ("signed", include_str!("signed.hex")),
];

/// Every frame with its name, `file/name`.
pub(crate) fn frames() -> Vec<(String, Vec<u8>)> {
    let mut frames = Vec::new();
    for (file, text) in FILES {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, hex) = line.split_once(' ').expect("a name and a frame");
            let octets = (0..hex.len() / 2)
                .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
                .collect();
            frames.push((format!("{file}/{name}"), octets));
        }
    }
    frames
}

/// The frame called `file/name`.
pub(crate) fn frame(name: &str) -> Vec<u8> {
    let found = frames().into_iter().find(|(n, _)| n == name);
    found.unwrap_or_else(|| panic!("no frame {name}")).1
}

/// The Internet checksum of RFC 1071, word by word.
pub(crate) fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let mut sum: u32 = 0;
    for word in parts.concat().chunks(2) {
        sum += u32::from(word[0]) * 256 + u32::from(*word.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = sum % 0x1_0000 + sum / 0x1_0000;
    }
    (0xffff - sum as u16).to_be_bytes()
}
