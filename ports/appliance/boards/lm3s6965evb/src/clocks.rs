//! The processor at 50 MHz from the PLL and the board's crystal, and power for what the board uses.

use crate::registers::Register;

/// The frequency of the processor and its timers.
pub(crate) const HZ: u32 = 50_000_000;

const RAW_INTERRUPTS: Register = Register::at(0x400f_e050);
const PLL_LOCKED: u32 = 1 << 6;
const CONFIG: Register = Register::at(0x400f_e060);
const CONFIG_BYPASS: u32 = 1 << 11;
const CONFIG_USE_DIVISOR: u32 = 1 << 22;
/// PLL on, the main oscillator with its 8 MHz crystal, 200 MHz divided by four.
const CONFIG_50_MHZ: u32 = (3 << 23) | CONFIG_USE_DIVISOR | (0xe << 6);

const CLOCK_GATES_0: Register = Register::at(0x400f_e100);
const CLOCK_GATES_1: Register = Register::at(0x400f_e104);
const CLOCK_GATES_2: Register = Register::at(0x400f_e108);
const WATCHDOG: u32 = 1 << 3;
const UART0_AND_TIMER0: u32 = (1 << 16) | 1;
const ETHERNET_AND_PORT_A: u32 = (1 << 30) | (1 << 28) | 1;

/// The pins of UART 0: port A, 0 and 1.
const PORT_A_ALTERNATE: Register = Register::at(0x4000_4420);
const PORT_A_DIGITAL: Register = Register::at(0x4000_451c);
const UART_PINS: u32 = 0b11;

pub(crate) fn start() {
    // Away from the PLL while it is set up.
    CONFIG.set_bits(CONFIG_BYPASS);
    CONFIG.clear_bits(CONFIG_USE_DIVISOR);
    CONFIG.write(CONFIG_50_MHZ | CONFIG_BYPASS);
    // It locks in half a millisecond, or the crystal is dead and we go on for what that is worth.
    for _ in 0..100_000 {
        if RAW_INTERRUPTS.read() & PLL_LOCKED != 0 {
            break;
        }
    }
    CONFIG.write(CONFIG_50_MHZ);

    CLOCK_GATES_0.set_bits(WATCHDOG);
    CLOCK_GATES_1.set_bits(UART0_AND_TIMER0);
    CLOCK_GATES_2.set_bits(ETHERNET_AND_PORT_A);
    // A clock needs a few cycles until the registers behind it answer.
    cortex_m::asm::delay(16);
    PORT_A_ALTERNATE.set_bits(UART_PINS);
    PORT_A_DIGITAL.set_bits(UART_PINS);
}
