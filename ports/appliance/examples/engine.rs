#![no_std]
#![no_main]
use core::hint::black_box;
use vrrp_core::*;
type Engine = Router<1, 4, 8>;
#[unsafe(no_mangle)]
static mut ENGINE: Engine = Engine::new();
static mut BUF: [u8; Engine::MAX_FRAME_LEN] = [0; Engine::MAX_FRAME_LEN];

#[cortex_m_rt::entry]
fn main() -> ! {
    let router = unsafe { &mut *(&raw mut ENGINE) };
    let buf = unsafe { &mut *(&raw mut BUF) };
    loop { step(black_box(router), black_box(buf)); }
}
#[inline(never)]
fn step(router: &mut Engine, buf: &mut [u8]) {
    let now: Instant = black_box(Instant::from_micros(0));
    let key: VrKey = black_box(VrKey { ifindex: 1, vrid: Vrid::new(1).unwrap(), family: Family::Ipv4 });
    let addresses = black_box([VirtualAddress { address: [10, 0, 0, 1].into(), prefix_len: 32 }]);
    let config = black_box(VrConfig { addresses: &addresses, ..VrConfig::DEFAULT });
    black_box(router.insert(now, key, &config)).ok();
    black_box(router.reconfigure(now, key, &config)).ok();
    black_box(router.set_interface(now, 1, black_box(InterfaceState::default()))).ok();
    black_box(router.set_enabled(now, key, black_box(true))).ok();
    black_box(router.set_priority(now, key, black_box(None))).ok();
    black_box(router.resign(now, key)).ok();
    black_box(router.remove(now, key)).ok();
    router.set_tracked(now, black_box(1), black_box(true));
    black_box(router.handle_frame(now, black_box(1), black_box(&buf[..])));
    let meta: PacketMeta = black_box(unsafe { core::mem::zeroed() });
    black_box(router.handle_packet(now, &meta, black_box(&buf[..])));
    router.handle_timeout(now);
    router.handle_failure(now, black_box(Failure::Mac { key }));
    black_box(router.answer(1, black_box(&[0u8; 60]), &mut black_box([0u8; 128])));
    while let Some(o) = router.poll_output(buf) { black_box(&o); }
    black_box(router.poll_timeout());
    black_box(router.status(key));
    for (r, n) in router.drops().iter() { black_box((r, n)); }
    if let Some(s) = router.statistics(key) { for (r, n) in s.drops.iter() { black_box((r, n)); } }
    black_box(router.interface(1));
    for k in router.keys() { black_box(k); }
    for a in router.addresses(key) { black_box(a); }
}
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! { loop {} }
