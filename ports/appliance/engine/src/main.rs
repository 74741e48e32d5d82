//! Nothing but the engine: a table of four virtual routers of eight addresses, and every call that
//! a port makes. It is linked to be measured (`cargo xtask size`), and does nothing when it runs.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use vrrp_core::wire::Datagram;
use vrrp_core::*;

type Engine = vrrp_core::Engine<1, 4, 8>;

/// All the memory that the engine has.
#[used]
static mut ENGINE: MaybeUninit<Engine> = MaybeUninit::uninit();

/// The calls from which everything is reached that a port links.
#[used]
static CALLS: Calls = Calls {
    new: Engine::new,
    insert: |engine, now, key, config| engine.admin(now).insert(key, config),
    reconfigure: |engine, now, key, config| engine.admin(now).reconfigure(key, config),
    set_enabled: |engine, now, key, on| engine.admin(now).set_enabled(key, on),
    set_priority: |engine, now, key, priority| engine.admin(now).set_priority(key, priority),
    remove: |engine, now, key| engine.admin(now).remove(key),
    resign: |engine, now, key| engine.admin(now).resign(key),
    set_interface: Engine::set_interface,
    set_tracked: |engine, now, object, up| engine.admin(now).set_tracked(object, up),
    handle_frame: Engine::handle_frame,
    handle_datagram: Engine::handle_datagram,
    handle_timeout: Engine::handle_timeout,
    handle_failure: Engine::handle_failure,
    poll_output: Engine::poll_output,
    poll_timeout: Engine::poll_timeout,
    answer: Engine::answer,
    status: Engine::status,
    statistics: Engine::statistics,
    drops: Engine::drops,
};

/// And those of keys.
#[cfg(feature = "hmac")]
#[used]
static CALLS_OF_KEYS: CallsOfKeys = CallsOfKeys {
    set_auth: |engine, now, key, config| engine.admin(now).set_auth(key, config),
    set_wall_clock: Engine::set_wall_clock,
    set_boot_count: Engine::set_boot_count,
    auth: Engine::auth,
};

#[cfg(feature = "hmac")]
#[allow(dead_code)] // Kept for the linker.
struct CallsOfKeys {
    set_auth: fn(&mut Engine, Instant, VrKey, Option<&AuthConfig<'_>>) -> Done,
    set_wall_clock: fn(&mut Engine, Instant, Option<WallClock>),
    set_boot_count: fn(&mut Engine, Instant, u32),
    auth: fn(&Engine, VrKey) -> Option<AuthStatus>,
}

type Done = Result<(), Error>;

#[allow(dead_code)] // Kept for the linker.
struct Calls {
    new: fn() -> Engine,
    insert: fn(&mut Engine, Instant, VrKey, &VrConfig<'_>) -> Done,
    reconfigure: fn(&mut Engine, Instant, VrKey, &VrConfig<'_>) -> Done,
    set_enabled: fn(&mut Engine, Instant, VrKey, bool) -> Done,
    set_priority: fn(&mut Engine, Instant, VrKey, Option<Priority>) -> Done,
    remove: fn(&mut Engine, Instant, VrKey) -> Done,
    resign: fn(&mut Engine, Instant, VrKey) -> Done,
    set_interface: fn(&mut Engine, Instant, u32, InterfaceState) -> Done,
    set_tracked: fn(&mut Engine, Instant, u16, bool),
    handle_frame: for<'f> fn(&mut Engine, Instant, u32, &'f [u8]) -> Verdict<'f>,
    handle_datagram: for<'f> fn(&mut Engine, Instant, u32, &Datagram<'f>) -> Verdict<'f>,
    handle_timeout: fn(&mut Engine, Instant),
    handle_failure: fn(&mut Engine, Instant, Failure),
    poll_output: for<'b> fn(&mut Engine, &'b mut [u8]) -> Poll<'b>,
    poll_timeout: fn(&Engine) -> Option<Instant>,
    answer: for<'b> fn(&Engine, u32, &[u8], &'b mut [u8]) -> Option<Transmit<'b>>,
    status: fn(&Engine, VrKey) -> Option<Status>,
    statistics: fn(&Engine, VrKey) -> Option<&Statistics>,
    drops: fn(&Engine) -> &DropCounters,
}

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

/// The engine has no use for it: `cargo xtask size` looks for what would.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::asm::udf()
}
