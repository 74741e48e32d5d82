/* A program that signs with `antireplay = monotonic`: its numbers go on over restarts, also when the clock was
 * set back, and without a directory for the boot count it is refused. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "host.h"

/* The trailer of a signed advertisement, and where it has the number. */
#define TRAILER 28
#define NUMBER 4

static char state_dir[256], key_file[256], count_file[300];
static char text[1024];
static struct vrrp_host *host;

/* A configuration with the key, and with further lines in [GLOBAL]. */
static void write_text(const char *global)
{
    snprintf(text, sizeof text,
             "[GLOBAL]\n%s\n[VRID]\nserverid=51\ninterface=eth0\naddr=10.0.0.80/24\npriority=255\n"
             "auth=hmac\nkeyfile=1:%s\nantireplay=monotonic\n",
             global, key_file);
}

static int open_text(void)
{
    return vrrp_host_open_config(VRRP_ABI, text, strlen(text), &options, &host, message,
                                 sizeof message);
}

static void expect_words(const char *words)
{
    if (strstr(message, words))
        return;
    fprintf(stderr, "expected '%s', found '%s'\n", words, message);
    exit(1);
}

/* Nothing is said about the boot count; there may be words about the addresses. */
static void expect_no_warning(void)
{
    if (!strstr(message, "boot"))
        return;
    fprintf(stderr, "expected no warning, found '%s'\n", message);
    exit(1);
}

/* The number of the boot count's file. */
static uint32_t written(void)
{
    unsigned long number = 0;
    FILE *file = fopen(count_file, "r");

    CHECK(file != NULL);
    CHECK_INT(1, fscanf(file, "vrrpd boot-count 1\n%lu", &number));
    fclose(file);
    return (uint32_t)number;
}

static void write_count(uint32_t number)
{
    FILE *file = fopen(count_file, "w");

    CHECK(file != NULL);
    fprintf(file, "vrrpd boot-count 1\n%lu\n", (unsigned long)number);
    CHECK_INT(0, fclose(file));
}

/* Opens a host, has it become master, and answers the number of its first advertisement. */
static uint32_t live(void)
{
    struct sockaddr_ll wire;
    uint8_t frame[2048];
    uint32_t number = 0;
    ssize_t len;
    time_t end = time(NULL) + 60;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_IP));

    CHECK(fd >= 0);
    memset(&wire, 0, sizeof wire);
    wire.sll_family = AF_PACKET;
    wire.sll_protocol = htons(ETH_P_IP);
    wire.sll_ifindex = (int)if_nametoindex("wire");
    CHECK_INT(0, bind(fd, (struct sockaddr *)&wire, sizeof wire));
    CHECK_INT(VRRP_OK, open_text());
    run_to(host, VRRP_STATE_ACTIVE);
    while (number == 0) {
        CHECK(time(NULL) < end);
        while ((len = recv(fd, frame, sizeof frame, 0)) > 0)
            if (number == 0 && len > TRAILER && frame[23] == 112) {
                memcpy(&number, frame + len - TRAILER + NUMBER, sizeof number);
                number = ntohl(number);
            }
        turn(host);
    }
    close(fd);
    return number;
}

static void refused_without_a_directory(void)
{
    write_text("");
    CHECK_INT(VRRP_ERR_HOST_CONFIG, open_text());
    expect_words("config:10: antireplay: expected `statedir = /path` in [GLOBAL], or `state_dir`");
    /* A program of before that field. */
    options.state_dir = state_dir;
    options.size = offsetof(struct vrrp_host_options, state_dir);
    CHECK_INT(VRRP_ERR_HOST_CONFIG, open_text());
    fresh_config();
    /* A check does not know the options. */
    CHECK_INT(VRRP_OK, vrrp_host_check_config(text, strlen(text), NULL, message, sizeof message));
    expect_words("config:10: note: antireplay: expected `statedir = /path`");
    options.state_dir = "relative";
    CHECK_INT(VRRP_ERR_VALUE, open_text());
    expect_words("options.state_dir: expected an absolute path, found `relative`");
    fresh_config();
}

static void numbers_go_on(void)
{
    uint32_t first, second, ahead;

    options.state_dir = state_dir;
    first = live();
    expect_words("boot-count is missing");
    CHECK_INT(first + 1, written());
    /* A reload needs no other one. */
    CHECK_INT(VRRP_OK, vrrp_host_reload_config(host, text, strlen(text), message, sizeof message));
    expect_words("0 added, 0 changed, 0 removed, 1 unchanged");
    expect_no_warning();
    CHECK_INT(first + 1, written());
    CHECK_INT(VRRP_OK, vrrp_host_close(host));

    second = live();
    expect_no_warning();
    CHECK(second >= first + 2);
    CHECK_INT(VRRP_OK, vrrp_host_close(host));

    /* The clock was set back: the numbers were far ahead of it. */
    ahead = second + 1000000;
    write_count(ahead);
    CHECK_INT(ahead + 1, live());
    CHECK_INT(ahead + 2, written());
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
    fresh_config();
}

static void a_text_names_the_directory(void)
{
    char global[300];
    uint32_t before = written();

    snprintf(global, sizeof global, "statedir=%s", state_dir);
    write_text(global);
    CHECK_INT(VRRP_OK, open_text());
    expect_no_warning();
    CHECK_INT(before + 2, written());
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
    /* Both: that of the program counts. */
    write_text("statedir=/nonexistent");
    options.state_dir = state_dir;
    CHECK_INT(VRRP_OK, open_text());
    expect_words("config:2: warning: statedir: has no effect: the program has chosen its own");
    CHECK_INT(before + 4, written());
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
    write_text("");
}

/* A host that cannot keep its count serves all the same, and a reload mends it. */
static void a_directory_that_cannot_be_used(void)
{
    uint32_t before = written();

    CHECK_INT(0, chmod(state_dir, 0777));
    CHECK_INT(VRRP_OK, open_text());
    expect_words("config: warning: the boot count of antireplay = monotonic is not kept: ");
    expect_words("others may write to it (mode 777)");
    CHECK_INT(before, written());
    CHECK_INT(VRRP_OK, vrrp_host_reload_config(host, text, strlen(text), message, sizeof message));
    expect_words("is not kept");
    CHECK_INT(0, chmod(state_dir, 0700));
    CHECK_INT(VRRP_OK, vrrp_host_reload_config(host, text, strlen(text), message, sizeof message));
    expect_words("0 added, 0 changed, 0 removed, 1 unchanged");
    expect_no_warning();
    CHECK_INT(before + 2, written());
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
    fresh_config();
}

/* A host without keys gets them by a reload. */
static void keys_that_come_later(void)
{
    uint32_t before = written();

    options.state_dir = state_dir;
    CHECK_INT(VRRP_OK, open_host(&host));
    CHECK_INT(before, written());
    CHECK_INT(VRRP_OK, vrrp_host_reload_config(host, text, strlen(text), message, sizeof message));
    CHECK_INT(before + 2, written());
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
}

int main(void)
{
    FILE *key;

    own_network();
    fresh_config();
    snprintf(state_dir, sizeof state_dir, "%s.state", runtime_dir);
    snprintf(key_file, sizeof key_file, "%s.key", runtime_dir);
    snprintf(count_file, sizeof count_file, "%s/boot-count", state_dir);
    key = fopen(key_file, "w");
    CHECK(key != NULL);
    fputs("a key of this test, of 32 octets.\n", key);
    CHECK_INT(0, fchmod(fileno(key), 0600));
    CHECK_INT(0, fclose(key));

    refused_without_a_directory();
    numbers_go_on();
    a_text_names_the_directory();
    a_directory_that_cannot_be_used();
    keys_that_come_later();

    snprintf(text, sizeof text, "rm -r '%s' '%s'", state_dir, key_file);
    shell(text);
    end_network();
    return 0;
}
