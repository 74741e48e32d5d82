//! An appliance: a microcontroller that takes part in VRRP and serves virtual addresses.
//!
//! It is the same file for every board: the library `board` of the package that builds it has all that
//! differs. VRRP is one line more than an embassy-net program has: `vrrp_embassy::new`, between the
//! driver and the stack.
#![no_std]
#![no_main]

mod console;
#[cfg(feature = "hmac")]
mod keys;
mod processor;
mod services;
mod settings;
mod status;
mod text;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use board::{Board, Ethernet, Watchdog};
use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_net::driver::{Driver as _, HardwareAddress};
use embassy_net::{Config, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use heapless::{String, Vec};
use settings::{ADDRS, Settings, VRS};
use static_cell::StaticCell;
use vrrp_embassy::vrrp_core::{Admin, VrConfig};
use vrrp_embassy::{Control, GateKey, OwnAddresses, Resources, Runner, StackDriver};

/// Whether IPv6 is built in.
const IPV6: bool = cfg!(feature = "ipv6");
/// The stacks of the network: the host's own, and two for virtual addresses. embassy-net gives a
/// stack one address of each family, so these two serve two of IPv4 and two of IPv6. Each takes 3 KB
/// of memory; virtual addresses beyond them are announced and answered for all the same.
const STACKS: usize = if IPV6 { 3 } else { 2 };
/// Frames on their way between the Ethernet controller and the stacks.
const FRAMES: usize = 3;
/// Their length in octets. Without IPv6 the appliance is for the smallest chips: as long as IPv4 needs.
const FRAME: usize = if IPV6 { 1514 } else { 590 };
/// A web page and an echo on each stack for virtual addresses.
const SOCKETS: usize = 2;

/// The context of every task of the application.
struct App {
    name: String<16>,
    keys: Vec<GateKey, VRS>,
    vrrp: Vrrp,
    /// The boot count that signatures begin with, if there is one and it is wanted.
    #[cfg(feature = "hmac")]
    boot_count: Option<u32>,
}

type Vrrp = Control<'static, VRS, ADDRS, FRAME>;
type Device = StackDriver<'static, VRS, ADDRS, FRAME>;
type VrrpRunner = Runner<'static, Ethernet, VRS, ADDRS, FRAME>;

#[cortex_m_rt::entry]
fn main() -> ! {
    processor::run(|spawner| spawner.spawn(defmt::unwrap!(start(spawner))))
}

#[embassy_executor::task]
async fn start(spawner: Spawner) {
    start_application(spawner, Board::take(spawner).await);
}

/// Each step has a frame of its own and is over before the next one, so that no step holds the stack
/// that another one needs: this is where most of it is used.
#[inline(never)]
#[cfg_attr(not(feature = "hmac"), allow(unused_mut))]
fn start_application(spawner: Spawner, mut board: Board) {
    spawn(spawner, measure(board.watchdog));
    let mac = match board.ethernet.hardware_address() {
        HardwareAddress::Ethernet(mac) => mac,
        _ => [0; 6],
    };
    let (vrrp, device) = open_vrrp(spawner, board.ethernet, seed(mac));
    if let Some((app, plan)) = configure(
        vrrp,
        #[cfg(feature = "hmac")]
        &mut board.boot_count,
    ) {
        start_network(spawner, app, device, &plan, mac);
    }
}

/// Differs from host to host, which is all that it is for.
fn seed(mac: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = mac;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// The one line more: VRRP between the driver and the stacks.
#[inline(never)]
fn open_vrrp(spawner: Spawner, ethernet: Ethernet, seed: u64) -> (Vrrp, Device) {
    static VRRP: StaticCell<Resources<VRS, ADDRS, STACKS, FRAMES, FRAME>> = StaticCell::new();
    let resources = VRRP.init_with(Resources::new);
    let (vrrp, device, runner) =
        vrrp_embassy::new(ethernet, OwnAddresses::default(), resources, seed);
    spawn(spawner, run_vrrp(runner));
    (vrrp, device)
}

/// The settings of the stacks.
struct Plan {
    own: Option<(Ipv4Addr, u8)>,
    own6: Option<Ipv6Addr>,
    /// The virtual addresses of each further stack.
    served: [(Option<Ipv4Addr>, Option<Ipv6Addr>); STACKS - 1],
}

/// Reads the settings and sets up the virtual routers. `None`: a setting is wrong.
#[inline(never)]
fn configure(
    vrrp: Vrrp,
    #[cfg(feature = "hmac")] store: &mut board::BootCount,
) -> Option<(&'static App, Plan)> {
    static APP: StaticCell<App> = StaticCell::new();
    let mut settings = Settings::default();
    if !read(&mut settings) {
        return None;
    }
    #[cfg(feature = "hmac")]
    let boot_count = if settings
        .routers
        .iter()
        .any(|router| !router.keys.is_empty())
    {
        keys::count_boot(vrrp, store, settings.boot_count)
    } else {
        None
    };
    let app = APP.init(App {
        name: settings.name.clone(),
        keys: insert_routers(vrrp, &settings),
        vrrp,
        #[cfg(feature = "hmac")]
        boot_count,
    });
    let plan = Plan {
        own: settings.own,
        own6: settings.own6,
        served: divide(&settings),
    };
    Some((app, plan))
}

/// Reads the settings, or says what is wrong with them.
#[inline(never)]
fn read(settings: &mut Settings) -> bool {
    let mut buffer = [0; 1024];
    let text = board::settings(&mut buffer).unwrap_or_default();
    let read = settings.read(text);
    if let Err(mistake) = read {
        let settings::Mistake { word, expected } = mistake;
        #[cfg(feature = "hmac")]
        let word = keys::without_secret(word);
        defmt::error!("settings: {=str}: expected {=istr}", word, expected);
    }
    let read = read.is_ok();
    #[cfg(feature = "hmac")]
    zeroize::Zeroize::zeroize(&mut buffer);
    read
}

#[inline(never)]
fn insert_routers(vrrp: Vrrp, settings: &Settings) -> Vec<GateKey, VRS> {
    let mut keys = Vec::new();
    for router in &settings.routers {
        let key = GateKey::new(router.vrid, router.family());
        let config = VrConfig {
            settings: router.settings,
            addresses: &router.addresses,
            ..VrConfig::DEFAULT
        };
        let insert = |admin: &mut Admin<'_, 1, VRS, ADDRS, GateKey>| {
            admin.insert(key, &config)?;
            #[cfg(feature = "hmac")]
            if let Err(error) = router.keys.give(admin, key) {
                // Nothing is said without the signature that was asked for.
                admin.remove(key)?;
                return Err(error);
            }
            Ok(())
        };
        match vrrp.admin(insert) {
            Ok(()) => drop(keys.push(key)),
            Err(error) => {
                let vrid = key.vrid.get();
                defmt::error!("vrid {=u8}: {}", vrid, error);
            }
        }
    }
    keys
}

/// A stack for each virtual address of a family, as far as there are stacks.
fn divide(settings: &Settings) -> [(Option<Ipv4Addr>, Option<Ipv6Addr>); STACKS - 1] {
    let mut stacks = [(None, None); STACKS - 1];
    settings.each_served(&mut |address| {
        let fits = match address {
            IpAddr::V4(v4) => {
                let free = stacks.iter_mut().find(|(taken, _)| taken.is_none());
                free.map(|(free, _)| *free = Some(v4))
            }
            IpAddr::V6(v6) => {
                let free = stacks.iter_mut().find(|(_, taken)| taken.is_none());
                free.map(|(_, free)| *free = Some(v6))
            }
        };
        if fits.is_none() {
            defmt::warn!("no stack for {}: it has no service", address);
        }
    });
    stacks
}

#[inline(never)]
fn start_network(spawner: Spawner, app: &'static App, device: Device, plan: &Plan, mac: [u8; 6]) {
    let own6 = plan.own6.unwrap_or(link_local(mac));
    let own = OwnAddresses {
        ipv4: plan.own.map(|(address, _)| address),
        ipv6: Some(own6),
    };
    let prefix_len = plan.own.map_or(32, |(_, prefix_len)| prefix_len);
    app.vrrp.set_own_addresses(own);

    static OWN_MEMORY: StaticCell<StackResources<1>> = StaticCell::new();
    let memory = OWN_MEMORY.init_with(StackResources::new);
    let own_config = config(own.ipv4, Some(own6), prefix_len);
    start_stack(spawner, device, own_config, memory, seed(mac));

    type Memory = StackResources<SOCKETS>;
    static MEMORY: [StaticCell<Memory>; STACKS - 1] = [const { StaticCell::new() }; STACKS - 1];
    for ((v4, v6), memory) in plan.served.into_iter().zip(&MEMORY) {
        if v4.is_none() && v6.is_none() {
            break;
        }
        let device = defmt::unwrap!(app.vrrp.stack_driver(v4, v6), "one for each memory");
        let memory = memory.init_with(Memory::new);
        let config = config(v4, v6, prefix_len);
        let stack = start_stack(spawner, device, config, memory, seed(mac));
        spawn(spawner, serve_web(stack, app));
        spawn(spawner, serve_who(stack, app));
    }
    spawn(spawner, administer(app));
    defmt::info!("{=str} is up, MAC {=[u8]:02x}", app.name.as_str(), mac);
}

/// The addresses of a stack. What it serves on it shares the prefix of.
#[cfg_attr(not(feature = "ipv6"), allow(unused_variables))]
fn config(v4: Option<Ipv4Addr>, v6: Option<Ipv6Addr>, prefix_len: u8) -> Config {
    let mut config = Config::default();
    if let Some(v4) = v4 {
        config.ipv4 = embassy_net::ConfigV4::Static(StaticConfigV4 {
            address: Ipv4Cidr::new(v4, prefix_len),
            gateway: None,
            dns_servers: Default::default(),
        });
    }
    #[cfg(feature = "ipv6")]
    if let Some(v6) = v6 {
        config.ipv6 = embassy_net::ConfigV6::Static(embassy_net::StaticConfigV6 {
            address: embassy_net::Ipv6Cidr::new(v6, 64),
            gateway: None,
            dns_servers: Default::default(),
        });
    }
    config
}

/// Starts one more stack.
#[inline(never)]
fn start_stack<const SOCKETS: usize>(
    spawner: Spawner,
    device: Device,
    config: Config,
    memory: &'static mut StackResources<SOCKETS>,
    seed: u64,
) -> Stack<'static> {
    let (stack, runner) = embassy_net::new(device, config, memory, seed);
    spawn(spawner, run_stack(runner));
    stack
}

/// The address that a MAC gives by the modified EUI-64 (RFC 4291 appendix A).
fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        a ^ 2,
        b,
        c,
        0xff,
        0xfe,
        d,
        e,
        f,
    ])
}

#[embassy_executor::task]
async fn run_vrrp(mut runner: VrrpRunner) -> ! {
    runner.run().await
}

#[embassy_executor::task(pool_size = STACKS)]
async fn run_stack(mut runner: embassy_net::Runner<'static, Device>) -> ! {
    runner.run().await
}

#[embassy_executor::task(pool_size = STACKS - 1)]
async fn serve_web(stack: Stack<'static>, app: &'static App) -> ! {
    services::web(stack, app).await
}

#[embassy_executor::task(pool_size = STACKS - 1)]
async fn serve_who(stack: Stack<'static>, app: &'static App) -> ! {
    services::who(stack, app).await
}

#[embassy_executor::task]
async fn administer(app: &'static App) -> ! {
    console::run(app).await
}

#[embassy_executor::task]
async fn measure(watchdog: Watchdog) -> ! {
    status::measure(watchdog).await
}

/// Spawns a task.
///
/// # Panics
///
/// When more are spawned than its pool holds, which is a mistake in this file.
#[inline(never)]
fn spawn<S>(spawner: Spawner, task: Result<SpawnToken<S>, SpawnError>) {
    spawner.spawn(defmt::unwrap!(task));
}
