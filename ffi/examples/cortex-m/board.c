/* QEMU's lm3s6965evb, and the board of that name: Cortex-M3, 256 KB flash, 64 KB RAM. */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* System control: clocks. */
#define SYSCTL_RIS REGISTER(0x400FE050)
#define SYSCTL_RCC REGISTER(0x400FE060)
#define SYSCTL_RCGC1 REGISTER(0x400FE104)
#define SYSCTL_RCGC2 REGISTER(0x400FE108)
#define RIS_PLL_LOCKED (1u << 6)
#define RCC_XTAL_8_MHZ (0xEu << 6)
#define RCC_PLL_POWER_DOWN (1u << 13)
#define RCC_PLL_BYPASS (1u << 11)
#define RCC_USE_DIVIDER (1u << 22)
#define RCC_DIVIDE_BY_4 (3u << 23)

/* Port A carries UART 0 on its first two pins. */
#define PORT_A_AFSEL REGISTER(0x40004420)
#define PORT_A_DEN REGISTER(0x4000451C)
#define UART_DR REGISTER(0x4000C000)
#define UART_FR REGISTER(0x4000C018)
#define UART_IBRD REGISTER(0x4000C024)
#define UART_FBRD REGISTER(0x4000C028)
#define UART_LCRH REGISTER(0x4000C02C)
#define UART_CTL REGISTER(0x4000C030)
#define FR_TX_FULL (1u << 5)
#define FR_BUSY (1u << 3)

/* The core's own timer. */
#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)

#define CLOCK_HZ 50000000u
/* What no function leaves in the stack but by chance. */
#define UNUSED 0x5EA5E11Fu

/* Where the linker put things. */
extern uint32_t stack_top[], data_load[], data_start[], data_end[], bss_start[], bss_end[];

int main(void);

static volatile uint32_t ticks_ms;

void board_init(void)
{
    /* 8 MHz crystal, PLL of 200 MHz, divided by 4. */
    SYSCTL_RCC = RCC_XTAL_8_MHZ | RCC_PLL_BYPASS | RCC_USE_DIVIDER | RCC_DIVIDE_BY_4;
    while (!(SYSCTL_RIS & RIS_PLL_LOCKED)) {
    }
    SYSCTL_RCC &= ~RCC_PLL_BYPASS;

    SYSCTL_RCGC1 |= 1u;
    SYSCTL_RCGC2 |= 1u;
    (void)SYSCTL_RCGC2; /* the ports need a few cycles after their clock is on */
    PORT_A_AFSEL |= 3u;
    PORT_A_DEN |= 3u;
    UART_IBRD = 27; /* 115,200 baud: 50 MHz / 16 / 27.127 */
    UART_FBRD = 8;
    UART_LCRH = 0x70; /* eight bits, with FIFO */
    UART_CTL = 0x301;

    SYST_RVR = CLOCK_HZ / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = 7; /* on, with interrupt, from the core's clock */
}

/* To be called at least once in 49 days, which a router that advertises does. */
uint64_t board_now_us(void)
{
    static uint32_t last_ms;
    static uint64_t total_ms;
    uint32_t now_ms = ticks_ms;

    total_ms += now_ms - last_ms;
    last_ms = now_ms;
    return total_ms * 1000;
}

void board_sleep(void)
{
    __asm volatile("wfi");
}

void board_print(const char *text)
{
    for (; *text; text++) {
        while (UART_FR & FR_TX_FULL) {
        }
        UART_DR = (uint8_t)*text;
    }
}

void board_exit(int status)
{
    uint32_t request[2] = {0x20026, (uint32_t)status};
    register uint32_t operation __asm("r0") = 0x20; /* SYS_EXIT_EXTENDED */
    register uint32_t *argument __asm("r1") = request;

    while (UART_FR & FR_BUSY) {
    }
    __asm volatile("bkpt 0xAB" : : "r"(operation), "r"(argument) : "memory");
    for (;;) {
        board_sleep();
    }
}

uint32_t board_stack_used(void)
{
    uint32_t *at = bss_end;

    while (*at == UNUSED) {
        at++;
    }
    return (uint32_t)(stack_top - at) * sizeof *at;
}

static void reset(void)
{
    uint32_t *from = data_load;
    uint32_t *frame = __builtin_frame_address(0);

    for (uint32_t *to = data_start; to < data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end;) {
        *to++ = 0;
    }
    /* Up to our own frame, whose size we do not know. */
    for (uint32_t *to = bss_end; to < frame - 16;) {
        *to++ = UNUSED;
    }
    board_exit(main());
}

static void tick(void)
{
    ticks_ms++;
}

static void fault(void)
{
    board_print("fault\n");
    board_exit(1);
}

/* What the core reads at address 0: the stack, then the handlers from exception 1 on. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, tick},
};
