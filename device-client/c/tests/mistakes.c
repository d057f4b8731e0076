/* What a caller can do wrong: each must end as a status. Run with the address sanitizer by tests/interface.rs. */
#include "layerlock_device.h"

#include <stdio.h>
#include <string.h>

static int failures;

#define EXPECT(call, wanted)                                                                  \
    do {                                                                                      \
        int got = (int)(call);                                                                \
        if (got != (int)(wanted)) {                                                           \
            fprintf(stderr, "%s:%d: %s gave %d, not %d\n", __FILE__, __LINE__, #call, got, (int)(wanted)); \
            failures++;                                                                       \
        }                                                                                     \
    } while (0)

static uint64_t now(void *context) { (void)context; return 0; }
static int32_t random_(void *context, uint8_t *out, size_t length) { (void)context; memset(out, 1, length); return 0; }
static int32_t send_(void *context, const uint8_t *message, size_t length) { (void)context; (void)message; (void)length; return 0; }
static int64_t read_(void *context, const char *item, uint64_t offset, uint8_t *out, size_t length) {
    (void)item; (void)offset; (void)out;
    /* As long as the context says, and a lie about it where that is more than there is room for. */
    return context == NULL ? 0 : (int64_t)length + *(int *)context;
}
static int32_t write_(void *context, const char *item, const uint8_t *bytes, size_t length) {
    (void)context; (void)item; (void)bytes; (void)length;
    return 1;
}

int main(void) {
    ll_host host = {sizeof host, NULL, now, random_, send_, read_, write_, write_};
    ll_device *device = (ll_device *)&host;
    ll_bytes none = {NULL, 0}, lie = {NULL, 5};
    uint8_t seed[32] = {1};
    char text[LL_COMMAND_SIZE];
    ll_next next;
    ll_state state;
    ll_ending ending;

    EXPECT(ll_interface(), LL_INTERFACE);
    EXPECT(strlen(ll_version()) > 0, 1);
    EXPECT(ll_provision(NULL, seed, seed, none, NULL, 0, none), LL_INVALID);
    EXPECT(ll_provision(&host, NULL, seed, none, NULL, 0, none), LL_INVALID);
    EXPECT(ll_provision(&host, seed, seed, lie, NULL, 0, none), LL_INVALID);
    EXPECT(ll_provision(&host, seed, seed, none, NULL, 3, none), LL_INVALID);
    EXPECT(ll_provision(&host, seed, seed, none, NULL, 0, none), LL_NOT_PROVISIONED);
    EXPECT(ll_device_open(&host, NULL), LL_INVALID);
    EXPECT(ll_device_open(NULL, &device), LL_INVALID);
    EXPECT(device == NULL, 1);
    EXPECT(ll_device_open(&host, &device), LL_NOT_PROVISIONED);
    EXPECT(device == NULL, 1);

    ll_host short_host = host;
    short_host.size = sizeof host - 1;
    EXPECT(ll_device_open(&short_host, &device), LL_INVALID);
    short_host = host;
    short_host.append = NULL;
    EXPECT(ll_device_open(&short_host, &device), LL_INVALID);
    int lies = 1, fails = -100000;
    short_host = host;
    short_host.context = &lies;
    EXPECT(ll_device_open(&short_host, &device), LL_HOST);
    short_host.context = &fails;
    EXPECT(ll_device_open(&short_host, &device), LL_HOST);

    ll_device_close(NULL);
    EXPECT(ll_device_connected(NULL), LL_INVALID);
    EXPECT(ll_device_disconnected(NULL, NULL), LL_INVALID);
    EXPECT(ll_device_receive(NULL, seed, 32), LL_INVALID);
    EXPECT(ll_device_receive(NULL, NULL, 32), LL_INVALID);
    EXPECT(ll_device_next(NULL, &next, text, sizeof text), LL_INVALID);
    EXPECT(ll_device_next(NULL, NULL, text, sizeof text), LL_INVALID);
    EXPECT(ll_device_next(NULL, &next, text, 10), LL_INVALID);
    EXPECT(ll_device_acknowledged(NULL, 1), LL_INVALID);
    EXPECT(ll_device_loaded(NULL, NULL, 0, LL_BED_CLEAR), LL_INVALID);
    EXPECT(ll_device_pause(NULL), LL_INVALID);
    EXPECT(ll_device_resume(NULL), LL_INVALID);
    EXPECT(ll_device_stop(NULL), LL_INVALID);
    EXPECT(ll_device_machine_failed(NULL), LL_INVALID);
    EXPECT(ll_device_state(NULL, &state), LL_INVALID);
    EXPECT(ll_device_ending(NULL, &ending), LL_INVALID);
    EXPECT(ll_device_message(NULL, text, sizeof text), LL_INVALID);
    return failures != 0;
}
