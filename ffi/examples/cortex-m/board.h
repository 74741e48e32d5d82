/* What the superloop needs of its board. Yours brings its own. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* Starts the clocks, the millisecond tick and the serial line. */
void board_init(void);

/* A monotonic clock. */
uint64_t board_now_us(void);

/* Sleeps until the next interrupt, which is the next tick at the latest. */
void board_sleep(void);

/* Writes to the serial line. */
void board_print(const char *text);

/* How many octets deep the stack has been. */
uint32_t board_stack_used(void);

/* Ends the program: QEMU and debuggers take it, a board alone stays where it is. */
void board_exit(int status);

#endif
