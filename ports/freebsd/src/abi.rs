//! Numbers, sizes and offsets of FreeBSD's interfaces that the port writes down by itself, for amd64
//! and arm64. Each stands beside the C expression that it must equal: `freebsd-asserts` prints
//! them as a C file, and `cargo xtask test freebsd` has it compiled against FreeBSD's own headers.

/// A constant, the C expression that it equals, and its value.
pub type Check = (&'static str, &'static str, u64);

macro_rules! abi {
    ($($name:ident: $type:ty = $value:expr, $c:literal;)*) => {
        $(pub(crate) const $name: $type = $value;)*

        /// Every constant of this file.
        pub const CHECKS: &[Check] = &[$((stringify!($name), $c, $name as u64)),*];
    };
}

const OUT: u64 = 0x4000_0000;
const IN: u64 = 0x8000_0000;
const VOID: u64 = 0x2000_0000;

/// An ioctl request: the direction, the length of its argument, its group and number.
const fn request(direction: u64, group: u8, number: u64, len: usize) -> u64 {
    direction | ((len as u64 & 0x1fff) << 16) | ((group as u64) << 8) | number
}

/// The length of the argument of a request.
pub(crate) const fn argument_len(request: u64) -> usize {
    (request >> 16 & 0x1fff) as usize
}

/// The headers that the expressions below come from, in an order that compiles.
pub const HEADERS: &[&str] = &[
    "sys/param.h",
    "sys/socket.h",
    "sys/socketvar.h",
    "sys/sockio.h",
    "sys/ioctl.h",
    "sys/sysctl.h",
    "sys/time.h",
    "sys/user.h",
    "net/if.h",
    "net/ethernet.h",
    "net/if_dl.h",
    "net/if_media.h",
    "net/if_types.h",
    "net/if_vlan_var.h",
    "net/bpf.h",
    "net/route.h",
    "netinet/in.h",
    "netinet/in_var.h",
    "netinet/in_pcb.h",
    "netinet/tcp.h",
    "netinet/tcp_var.h",
    "netinet6/in6_var.h",
    "netinet6/nd6.h",
    "netgraph/ng_message.h",
    "netgraph/ng_socket.h",
    "netgraph/ng_ether.h",
    "netgraph/ng_bridge.h",
    "netgraph/ng_eiface.h",
    "stddef.h",
];

abi! {
    // Socket addresses.
    AF_UNSPEC: u8 = 0, "AF_UNSPEC";
    AF_INET: u8 = 2, "AF_INET";
    AF_LINK: u8 = 18, "AF_LINK";
    AF_INET6: u8 = 28, "AF_INET6";
    PF_ROUTE: i32 = 17, "PF_ROUTE";
    PF_NETGRAPH: i32 = 32, "PF_NETGRAPH";
    SOCKADDR_IN_LEN: usize = 16, "sizeof(struct sockaddr_in)";
    SIN_PORT: usize = 2, "offsetof(struct sockaddr_in, sin_port)";
    SIN_ADDR: usize = 4, "offsetof(struct sockaddr_in, sin_addr)";
    SOCKADDR_STORAGE_LEN: usize = 128, "sizeof(struct sockaddr_storage)";
    SOCKADDR_IN6_LEN: usize = 28, "sizeof(struct sockaddr_in6)";
    SIN6_ADDR: usize = 8, "offsetof(struct sockaddr_in6, sin6_addr)";
    SIN6_SCOPE: usize = 24, "offsetof(struct sockaddr_in6, sin6_scope_id)";
    SOCKADDR_DL_LEN: usize = 54, "sizeof(struct sockaddr_dl)";
    SDL_INDEX: usize = 2, "offsetof(struct sockaddr_dl, sdl_index)";
    SDL_TYPE: usize = 4, "offsetof(struct sockaddr_dl, sdl_type)";
    SDL_NLEN: usize = 5, "offsetof(struct sockaddr_dl, sdl_nlen)";
    SDL_ALEN: usize = 6, "offsetof(struct sockaddr_dl, sdl_alen)";
    SDL_DATA: usize = 8, "offsetof(struct sockaddr_dl, sdl_data)";
    SOCKADDR_NG_DATA: usize = 2, "offsetof(struct sockaddr_ng, sg_data)";
    SOCKADDR_NG_PATH: usize = 32, "sizeof(((struct sockaddr_ng *)0)->sg_data)";

    // The list of TCP connections.
    XINPGEN_LEN: usize = 64, "sizeof(struct xinpgen)";
    XTCPCB_FLAGS: usize = 256, "offsetof(struct xtcpcb, xt_inp.inp_inc.inc_flags)";
    XTCPCB_FPORT: usize = 260, "offsetof(struct xtcpcb, xt_inp.inp_inc.inc_fport)";
    XTCPCB_LPORT: usize = 262, "offsetof(struct xtcpcb, xt_inp.inp_inc.inc_lport)";
    XTCPCB_FADDR: usize = 264, "offsetof(struct xtcpcb, xt_inp.inp_inc.inc6_faddr)";
    XTCPCB_FADDR_V4: usize = 276, "offsetof(struct xtcpcb, xt_inp.inp_inc.inc_faddr)";
    XTCPCB_LADDR: usize = 280, "offsetof(struct xtcpcb, xt_inp.inp_inc.inc6_laddr)";
    XTCPCB_LADDR_V4: usize = 292, "offsetof(struct xtcpcb, xt_inp.inp_inc.inc_laddr)";
    INC_ISIPV6: u8 = 1, "INC_ISIPV6";

    // Requests about interfaces.
    IFNAMSIZ: usize = 16, "IFNAMSIZ";
    IFREQ_LEN: usize = 32, "sizeof(struct ifreq)";
    IFREQ_UNION: usize = 16, "offsetof(struct ifreq, ifr_ifru)";
    IFREQ_FLAGS_HIGH: usize = 18, "offsetof(struct ifreq, ifr_flagshigh)";
    IFREQ_POINTER: usize = 24, "offsetof(struct ifreq, ifr_buffer.buffer)";
    IFGROUPREQ_LEN: usize = 40, "sizeof(struct ifgroupreq)";
    IFGROUPREQ_SIZE: usize = 16, "offsetof(struct ifgroupreq, ifgr_len)";
    IFGROUPREQ_POINTER: usize = 24, "offsetof(struct ifgroupreq, ifgr_ifgru.ifgru_groups)";
    IFG_REQ_LEN: usize = 16, "sizeof(struct ifg_req)";
    IFALIASREQ_LEN: usize = 68, "sizeof(struct ifaliasreq)";
    IFALIASREQ_ADDR: usize = 16, "offsetof(struct ifaliasreq, ifra_addr)";
    IFALIASREQ_BROADCAST: usize = 32, "offsetof(struct ifaliasreq, ifra_broadaddr)";
    IFALIASREQ_MASK: usize = 48, "offsetof(struct ifaliasreq, ifra_mask)";
    IN6_ALIASREQ_LEN: usize = 136, "sizeof(struct in6_aliasreq)";
    IN6_ALIASREQ_ADDR: usize = 16, "offsetof(struct in6_aliasreq, ifra_addr)";
    IN6_ALIASREQ_MASK: usize = 72, "offsetof(struct in6_aliasreq, ifra_prefixmask)";
    IN6_ALIASREQ_FLAGS: usize = 100, "offsetof(struct in6_aliasreq, ifra_flags)";
    IN6_ALIASREQ_VALID: usize = 120, "offsetof(struct in6_aliasreq, ifra_lifetime.ia6t_vltime)";
    IN6_ALIASREQ_PREFERRED: usize = 124, "offsetof(struct in6_aliasreq, ifra_lifetime.ia6t_pltime)";
    ND6_INFINITE_LIFETIME: u32 = u32::MAX, "ND6_INFINITE_LIFETIME";
    IN6_IFREQ_LEN: usize = 288, "sizeof(struct in6_ifreq)";
    IN6_IFREQ_ADDR: usize = 16, "offsetof(struct in6_ifreq, ifr_ifru.ifru_addr)";
    IN6_IFREQ_FLAGS: usize = 16, "offsetof(struct in6_ifreq, ifr_ifru.ifru_flags6)";
    IN6_IFF_TENTATIVE: u32 = 2, "IN6_IFF_TENTATIVE";
    IN6_IFF_DUPLICATED: u32 = 4, "IN6_IFF_DUPLICATED";
    IN6_NDIREQ_LEN: usize = 72, "sizeof(struct in6_ndireq)";
    IN6_NDIREQ_FLAGS: usize = 36, "offsetof(struct in6_ndireq, ndi.flags)";
    ND6_IFF_ACCEPT_RTADV: u32 = 2, "ND6_IFF_ACCEPT_RTADV";
    ND6_IFF_IFDISABLED: u32 = 8, "ND6_IFF_IFDISABLED";
    ND6_IFF_AUTO_LINKLOCAL: u32 = 0x20, "ND6_IFF_AUTO_LINKLOCAL";
    ND6_IFF_NO_DAD: u32 = 0x100, "ND6_IFF_NO_DAD";
    IFMEDIAREQ_LEN: usize = 48, "sizeof(struct ifmediareq)";
    IFMEDIAREQ_STATUS: usize = 24, "offsetof(struct ifmediareq, ifm_status)";
    IFM_AVALID: u32 = 1, "IFM_AVALID";
    IFM_ACTIVE: u32 = 2, "IFM_ACTIVE";
    SIOCDIFADDR: u64 = request(IN, b'i', 25, IFREQ_LEN), "SIOCDIFADDR";
    SIOCAIFADDR: u64 = request(IN, b'i', 43, IFALIASREQ_LEN), "SIOCAIFADDR";
    SIOCDIFADDR_IN6: u64 = request(IN, b'i', 25, IN6_IFREQ_LEN), "SIOCDIFADDR_IN6";
    SIOCAIFADDR_IN6: u64 = request(IN, b'i', 27, IN6_ALIASREQ_LEN), "SIOCAIFADDR_IN6";
    SIOCGIFAFLAG_IN6: u64 = request(IN | OUT, b'i', 73, IN6_IFREQ_LEN), "SIOCGIFAFLAG_IN6";
    SIOCGIFINFO_IN6: u64 = request(IN | OUT, b'i', 108, IN6_NDIREQ_LEN), "SIOCGIFINFO_IN6";
    SIOCSIFINFO_FLAGS: u64 = request(IN | OUT, b'i', 87, IN6_NDIREQ_LEN), "SIOCSIFINFO_FLAGS";
    SIOCSIFFLAGS: u64 = request(IN, b'i', 16, IFREQ_LEN), "SIOCSIFFLAGS";
    SIOCGIFFLAGS: u64 = request(IN | OUT, b'i', 17, IFREQ_LEN), "SIOCGIFFLAGS";
    SIOCSIFLLADDR: u64 = request(IN, b'i', 60, IFREQ_LEN), "SIOCSIFLLADDR";
    SIOCSIFNAME: u64 = request(IN, b'i', 40, IFREQ_LEN), "SIOCSIFNAME";
    SIOCSIFDESCR: u64 = request(IN, b'i', 41, IFREQ_LEN), "SIOCSIFDESCR";
    SIOCGIFDESCR: u64 = request(IN | OUT, b'i', 42, IFREQ_LEN), "SIOCGIFDESCR";
    SIOCGIFGROUP: u64 = request(IN | OUT, b'i', 136, IFGROUPREQ_LEN), "SIOCGIFGROUP";
    SIOCSIFMTU: u64 = request(IN, b'i', 52, IFREQ_LEN), "SIOCSIFMTU";
    SIOCGIFMEDIA: u64 = request(IN | OUT, b'i', 56, IFMEDIAREQ_LEN), "SIOCGIFMEDIA";
    SIOCGIFFIB: u64 = request(IN | OUT, b'i', 92, IFREQ_LEN), "SIOCGIFFIB";
    SIOCSIFFIB: u64 = request(IN, b'i', 93, IFREQ_LEN), "SIOCSIFFIB";
    SIOCIFDESTROY: u64 = request(IN, b'i', 121, IFREQ_LEN), "SIOCIFDESTROY";
    SIOCIFCREATE2: u64 = request(IN | OUT, b'i', 124, IFREQ_LEN), "SIOCIFCREATE2";

    // The routing socket and the list of interfaces.
    RTM_VERSION: u8 = 5, "RTM_VERSION";
    RTM_ADD: u8 = 1, "RTM_ADD";
    RTM_DELETE: u8 = 2, "RTM_DELETE";
    RTM_NEWADDR: u8 = 0xc, "RTM_NEWADDR";
    RTM_DELADDR: u8 = 0xd, "RTM_DELADDR";
    RTM_IFINFO: u8 = 0xe, "RTM_IFINFO";
    RTM_IFANNOUNCE: u8 = 0x11, "RTM_IFANNOUNCE";
    RTA_DST: u32 = 1, "RTA_DST";
    RTA_GATEWAY: u32 = 2, "RTA_GATEWAY";
    RTA_NETMASK: u32 = 4, "RTA_NETMASK";
    RTA_IFP: u32 = 0x10, "RTA_IFP";
    RTA_IFA: u32 = 0x20, "RTA_IFA";
    RTF_UP: u32 = 1, "RTF_UP";
    RTF_GATEWAY: u32 = 2, "RTF_GATEWAY";
    RTF_HOST: u32 = 4, "RTF_HOST";
    RTF_REJECT: u32 = 8, "RTF_REJECT";
    RTF_STATIC: u32 = 0x800, "RTF_STATIC";
    RTF_BLACKHOLE: u32 = 0x1000, "RTF_BLACKHOLE";
    RT_MSGHDR_LEN: usize = 152, "sizeof(struct rt_msghdr)";
    RTM_FLAGS: usize = 8, "offsetof(struct rt_msghdr, rtm_flags)";
    RTM_ADDRS: usize = 12, "offsetof(struct rt_msghdr, rtm_addrs)";
    RTM_SEQ: usize = 20, "offsetof(struct rt_msghdr, rtm_seq)";
    RTM_MSGLEN: usize = 0, "offsetof(struct if_msghdrl, ifm_msglen)";
    RTM_MSG_VERSION: usize = 2, "offsetof(struct if_msghdrl, ifm_version)";
    RTM_TYPE: usize = 3, "offsetof(struct if_msghdrl, ifm_type)";
    IFM_ADDRS: usize = 4, "offsetof(struct if_msghdrl, ifm_addrs)";
    IFM_FLAGS: usize = 8, "offsetof(struct if_msghdrl, ifm_flags)";
    IFM_INDEX: usize = 12, "offsetof(struct if_msghdrl, ifm_index)";
    IFM_LEN: usize = 16, "offsetof(struct if_msghdrl, ifm_len)";
    IFM_DATA_OFF: usize = 18, "offsetof(struct if_msghdrl, ifm_data_off)";
    IFAM_ADDRS: usize = 4, "offsetof(struct ifa_msghdrl, ifam_addrs)";
    IFAM_INDEX: usize = 12, "offsetof(struct ifa_msghdrl, ifam_index)";
    IFAM_LEN: usize = 16, "offsetof(struct ifa_msghdrl, ifam_len)";
    IFAM_DATA_OFF: usize = 18, "offsetof(struct ifa_msghdrl, ifam_data_off)";
    IFAN_INDEX: usize = 4, "offsetof(struct if_announcemsghdr, ifan_index)";
    IFAN_WHAT: usize = 22, "offsetof(struct if_announcemsghdr, ifan_what)";
    IFAN_DEPARTURE: u16 = 1, "IFAN_DEPARTURE";
    IFI_TYPE: usize = 0, "offsetof(struct if_data, ifi_type)";
    IFI_LINK_STATE: usize = 4, "offsetof(struct if_data, ifi_link_state)";
    IFI_VHID: usize = 5, "offsetof(struct if_data, ifi_vhid)";
    IFI_MTU: usize = 8, "offsetof(struct if_data, ifi_mtu)";
    LINK_STATE_UNKNOWN: u8 = 0, "LINK_STATE_UNKNOWN";
    LINK_STATE_DOWN: u8 = 1, "LINK_STATE_DOWN";
    LINK_STATE_UP: u8 = 2, "LINK_STATE_UP";
    IFF_UP: u32 = 1, "IFF_UP";
    IFF_LOOPBACK: u32 = 8, "IFF_LOOPBACK";
    IFF_DRV_RUNNING: u32 = 0x40, "IFF_DRV_RUNNING";
    CTL_NET: i32 = 4, "CTL_NET";
    NET_RT_IFLISTL: i32 = 5, "NET_RT_IFLISTL";
    SO_RERROR: i32 = 0x0002_0000, "SO_RERROR";
    SO_SETFIB: i32 = 0x1014, "SO_SETFIB";

    // bpf(4).
    BPF_HDR_CAPLEN: usize = 16, "offsetof(struct bpf_hdr, bh_caplen)";
    BPF_HDR_DATALEN: usize = 20, "offsetof(struct bpf_hdr, bh_datalen)";
    BPF_HDR_HDRLEN: usize = 24, "offsetof(struct bpf_hdr, bh_hdrlen)";
    BPF_HDR_MIN: usize = 26, "offsetof(struct bpf_hdr, bh_hdrlen) + sizeof(u_short)";
    BPF_ALIGNMENT: usize = 8, "BPF_ALIGNMENT";
    BPF_MAXINSNS: usize = 512, "BPF_MAXINSNS";
    BPF_INSN_LEN: usize = 8, "sizeof(struct bpf_insn)";
    BPF_PROGRAM_LEN: usize = 16, "sizeof(struct bpf_program)";
    BPF_PROGRAM_INSNS: usize = 8, "offsetof(struct bpf_program, bf_insns)";
    BPF_D_IN: u32 = 0, "BPF_D_IN";
    DLT_EN10MB: u32 = 1, "DLT_EN10MB";
    BIOCSBLEN: u64 = request(IN | OUT, b'B', 102, 4), "BIOCSBLEN";
    BIOCGBLEN: u64 = request(OUT, b'B', 102, 4), "BIOCGBLEN";
    BIOCSETF: u64 = request(IN, b'B', 103, BPF_PROGRAM_LEN), "BIOCSETF";
    BIOCGDLT: u64 = request(OUT, b'B', 106, 4), "BIOCGDLT";
    BIOCSETIF: u64 = request(IN, b'B', 108, IFREQ_LEN), "BIOCSETIF";
    BIOCIMMEDIATE: u64 = request(IN, b'B', 112, 4), "BIOCIMMEDIATE";
    BIOCSHDRCMPLT: u64 = request(IN, b'B', 117, 4), "BIOCSHDRCMPLT";
    BIOCSDIRECTION: u64 = request(IN, b'B', 119, 4), "BIOCSDIRECTION";
    BIOCLOCK: u64 = request(VOID, b'B', 122, 0), "BIOCLOCK";
    BIOCSETWF: u64 = request(IN, b'B', 123, BPF_PROGRAM_LEN), "BIOCSETWF";
    BIOCSETFNR: u64 = request(IN, b'B', 130, BPF_PROGRAM_LEN), "BIOCSETFNR";

    // netgraph(4).
    NG_CONTROL: i32 = 2, "NG_CONTROL";
    NG_VERSION: u8 = 8, "NG_VERSION";
    NG_MESG_LEN: usize = 56, "sizeof(struct ng_mesg)";
    NG_ARGLEN: usize = 4, "offsetof(struct ng_mesg, header.arglen)";
    NG_CMD: usize = 8, "offsetof(struct ng_mesg, header.cmd)";
    NG_FLAGS: usize = 12, "offsetof(struct ng_mesg, header.flags)";
    NG_TOKEN: usize = 16, "offsetof(struct ng_mesg, header.token)";
    NG_COOKIE: usize = 20, "offsetof(struct ng_mesg, header.typecookie)";
    NG_DATA: usize = 56, "offsetof(struct ng_mesg, data)";
    NGF_RESP: u32 = 1, "NGF_RESP";
    NG_NAME_LEN: usize = 32, "NG_NODESIZ";
    NG_HOOK_LEN: usize = 32, "NG_HOOKSIZ";
    NG_TYPE_LEN: usize = 32, "NG_TYPESIZ";
    NG_PATH_LEN: usize = 512, "NG_PATHSIZ";
    NGM_MKPEER_LEN: usize = 96, "sizeof(struct ngm_mkpeer)";
    NGM_CONNECT_LEN: usize = 576, "sizeof(struct ngm_connect)";
    NGM_NAME_LEN: usize = 32, "sizeof(struct ngm_name)";
    NGM_RMHOOK_LEN: usize = 32, "sizeof(struct ngm_rmhook)";
    NODEINFO_LEN: usize = 72, "sizeof(struct nodeinfo)";
    NODEINFO_TYPE: usize = 32, "offsetof(struct nodeinfo, type)";
    NODEINFO_HOOKS: usize = 68, "offsetof(struct nodeinfo, hooks)";
    LINKINFO_LEN: usize = 136, "sizeof(struct linkinfo)";
    LINKINFO_NODE: usize = 64, "offsetof(struct linkinfo, nodeinfo)";
    NGM_GENERIC_COOKIE: u32 = 1_137_070_366, "NGM_GENERIC_COOKIE";
    NGM_SHUTDOWN: u32 = 1, "NGM_SHUTDOWN";
    NGM_MKPEER: u32 = 2, "NGM_MKPEER";
    NGM_CONNECT: u32 = 3, "NGM_CONNECT";
    NGM_NAME: u32 = 4, "NGM_NAME";
    NGM_RMHOOK: u32 = 5, "NGM_RMHOOK";
    NGM_NODEINFO: u32 = 0x3000_0006, "NGM_NODEINFO";
    NGM_LISTHOOKS: u32 = 0x3000_0007, "NGM_LISTHOOKS";
    NGM_ETHER_COOKIE: u32 = 917_786_906, "NGM_ETHER_COOKIE";
    NGM_ETHER_SET_PROMISC: u32 = 6, "NGM_ETHER_SET_PROMISC";
    NGM_ETHER_GET_AUTOSRC: u32 = 7, "NGM_ETHER_GET_AUTOSRC";
    NGM_ETHER_SET_AUTOSRC: u32 = 8, "NGM_ETHER_SET_AUTOSRC";
    NGM_BRIDGE_COOKIE: u32 = 1_569_321_993, "NGM_BRIDGE_COOKIE";
    NGM_BRIDGE_SET_CONFIG: u32 = 1, "NGM_BRIDGE_SET_CONFIG";
    NGM_BRIDGE_MOVE_HOST: u32 = 9, "NGM_BRIDGE_MOVE_HOST";
    NG_BRIDGE_CONFIG_LEN: usize = 16, "sizeof(struct ng_bridge_config)";
    NG_BRIDGE_LOOP_TIMEOUT: usize = 4, "offsetof(struct ng_bridge_config, loopTimeout)";
    NG_BRIDGE_MAX_STALENESS: usize = 8, "offsetof(struct ng_bridge_config, maxStaleness)";
    NG_BRIDGE_MIN_STABLE_AGE: usize = 12, "offsetof(struct ng_bridge_config, minStableAge)";
    NG_BRIDGE_MOVE_HOST_LEN: usize = 38, "sizeof(struct ng_bridge_move_host)";
    NG_BRIDGE_MOVE_HOST_HOOK: usize = 6, "offsetof(struct ng_bridge_move_host, hook)";
    NGM_EIFACE_COOKIE: u32 = 948_105_892, "NGM_EIFACE_COOKIE";
    NGM_EIFACE_GET_IFNAME: u32 = 1, "NGM_EIFACE_GET_IFNAME";
    NGM_EIFACE_SET: u32 = 3, "NGM_EIFACE_SET";

    // Types of interfaces.
    IFT_ETHER: u8 = 6, "IFT_ETHER";
    IFT_L2VLAN: u8 = 0x87, "IFT_L2VLAN";
    IFT_LAGG: u8 = 0xa1, "IFT_IEEE8023ADLAG";
    IFT_BRIDGE: u8 = 0xd1, "IFT_BRIDGE";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_put_together_as_sys_ioccom_says() {
        // As truss(1) shows them.
        assert_eq!(SIOCAIFADDR, 0x8044_692b);
        assert_eq!(SIOCDIFADDR, 0x8020_6919);
        assert_eq!(SIOCGIFFLAGS, 0xc020_6911);
        assert_eq!(BIOCSETIF, 0x8020_426c);
        assert_eq!(BIOCIMMEDIATE, 0x8004_4270);
        assert_eq!(BIOCLOCK, 0x2000_427a);
        assert_eq!(argument_len(SIOCAIFADDR), 68);
        assert_eq!(argument_len(BIOCLOCK), 0);
    }
}
