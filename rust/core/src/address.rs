//! Addresses a name may lead to, and those it may not.
//!
//! Invariant: a configured *address* is the operator's word and never asked about here; a configured *name*
//! leads where its DNS says, which may be somebody else's word. So what only this machine or this link
//! answers (loopback, link-local with the clouds' metadata services) and what is no host at all is refused
//! to names, unless the configuration allows it. Private ranges are not: inside a cluster they are where
//! names lead. Sources: RFC 6890 and its registries, RFC 6052 §2.1, RFC 3056 §2, RFC 4291 §2.5.5.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde::Deserialize;

/// An address and how many of its leading bits count, such as `127.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct AddressRange {
    address: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Whether `address` lies in the range; an IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                same_start(u128::from(range.to_bits()) << 96, u128::from(address.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                same_start(range.to_bits(), address.to_bits(), self.bits)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same_start(left: u128, right: u128, bits: u8) -> bool {
    let away = 128_u32.saturating_sub(u32::from(bits));
    // Of no bits at all every address is the same.
    (left ^ right).checked_shr(away).unwrap_or_default() == 0
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr =
            address.parse().map_err(|_| format!("`{text}` is not an address or `address/bits`"))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(|| format!("`{text}`: the number behind `/` must be between 0 and {most}"))?,
        };
        Ok(Self { address, bits })
    }
}

impl TryFrom<String> for AddressRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Why a name may not lead to `address`: the kind of address, in a word for people. `None`: it may.
pub fn reserved(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(v4) => reserved_v4(v4),
        IpAddr::V6(v6) => reserved_v6(v6),
    }
}

fn reserved_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("unspecified"),
        [127, ..] => Some("loopback"),
        [169, 254, ..] => Some("link-local"),
        // Where Alibaba and Oracle answer what others answer on 169.254.169.254.
        [100, 100, 100, 200] | [192, 0, 0, 192] => Some("metadata"),
        [224..=239, ..] => Some("multicast"),
        [240..=255, ..] => Some("reserved"),
        _ => None,
    }
}

fn reserved_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        // The metadata service of EC2, in a range that is otherwise private.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254] => Some("metadata"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        // These carry an IPv4 address to which a gateway on the way may deliver: IPv4-compatible, NAT64, 6to4.
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            reserved_v4(v4(high, low))
        }
        _ => None,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low))
}

/// Whether a name stands for this machine by definition (RFC 6761 §6.3), so that loopback is no surprise.
pub fn is_local_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or(host);
    last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_only_this_machine_or_link_answers_is_reserved_however_it_is_written() {
        for (address, kind) in [
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("64:ff9b::7f00:1", "loopback"),
            ("2002:7f00:1::", "loopback"),
            ("::127.0.0.1", "loopback"),
            ("169.254.169.254", "link-local"),
            ("::ffff:169.254.169.254", "link-local"),
            ("64:ff9b::a9fe:a9fe", "link-local"),
            ("2002:a9fe:a9fe::1", "link-local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fd00:ec2::254", "metadata"),
            ("100.100.100.200", "metadata"),
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("::", "unspecified"),
            ("224.0.0.1", "multicast"),
            ("ff02::1", "multicast"),
            ("255.255.255.255", "reserved"),
        ] {
            assert_eq!(reserved(ip(address)), Some(kind), "{address}");
        }
    }

    #[test]
    fn where_names_lead_inside_a_cluster_or_on_the_internet_is_not() {
        for address in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "1.1.1.1",
            "fd12::1",
            "2606:4700::1",
            "fec0::1",
        ] {
            assert_eq!(reserved(ip(address)), None, "{address}");
        }
    }

    #[test]
    fn a_range_holds_what_starts_like_it() {
        let range = |text: &str| text.parse::<AddressRange>().unwrap();
        assert!(range("127.0.0.0/8").contains(ip("127.9.9.9")));
        assert!(range("127.0.0.0/8").contains(ip("::ffff:127.9.9.9")));
        assert!(!range("127.0.0.0/8").contains(ip("128.0.0.0")));
        assert!(range("0.0.0.0/0").contains(ip("200.1.1.1")));
        assert!(!range("0.0.0.0/0").contains(ip("fe80::1")));
        assert!(range("169.254.10.0/31").contains(ip("169.254.10.1")));
        assert!(!range("169.254.10.0/31").contains(ip("169.254.10.2")));
        assert!(range("::1").contains(ip("::1")) && !range("::1").contains(ip("::2")));
        assert!(range("::/0").contains(ip("fe80::1")));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "127.0.0.1/33",
            "::/129",
            "127.0.0.1/-1",
            "127.0.0.1/",
            "127.1",
            "0x7f.1",
            "x/8",
            "127.0.0.1/8/8",
        ] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn localhost_is_this_machine_in_every_spelling() {
        for host in ["localhost", "LOCALHOST.", "a.localhost", "x.y.LocalHost"] {
            assert!(is_local_name(host), "{host}");
        }
        for host in ["localhost.test", "notlocalhost", "", "localhost.localdomain"] {
            assert!(!is_local_name(host), "{host}");
        }
    }
}
