/*
 * A whole device in C: prints what a vault sends, through liblayerlock_device_c.
 *
 * Its stream, its machine and its switch are its standard input and output, in the line protocol of docs/oem.md,
 * so that the conformance kit can play the vault. In firmware, `send` writes into a gRPC stream, `vault` lines come
 * out of it, and commands go to the motion planner. Storage is memory here: it outlives `open`, as flash outlives a
 * power cut.
 */
#include "layerlock_device.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SERVICES 16

struct buffer {
    uint8_t *data;
    size_t length;
};

struct item {
    const char *name;
    struct buffer content;
};

struct machine {
    struct item items[4];
    uint64_t now;
    FILE *random;
    ll_device *device;
    uint64_t acknowledged;
    struct buffer sign_seed, open_seed, root, certificate;
    struct buffer services[MOST_SERVICES];
    size_t service_count;
};

static void forget(struct buffer *buffer) {
    if (buffer->data != NULL) {
        /* Keys and commands were in here; a compiler may not leave out what goes through a volatile pointer. */
        volatile uint8_t *byte = buffer->data;
        for (size_t at = 0; at < buffer->length; at++) byte[at] = 0;
        free(buffer->data);
    }
    buffer->data = NULL;
    buffer->length = 0;
}

/* Puts bytes at the end of a buffer; 0 when there is no memory. */
static int extend(struct buffer *buffer, const uint8_t *bytes, size_t length) {
    uint8_t *larger = malloc(buffer->length + length + 1);
    if (larger == NULL) return 0;
    if (buffer->length > 0) memcpy(larger, buffer->data, buffer->length);
    if (length > 0) memcpy(larger + buffer->length, bytes, length);
    size_t together = buffer->length + length;
    forget(buffer);
    buffer->data = larger;
    buffer->length = together;
    return 1;
}

static void print_hex(const char *verb, const uint8_t *bytes, size_t length) {
    printf("%s ", verb);
    for (size_t at = 0; at < length; at++) printf("%02x", bytes[at]);
    putchar('\n');
}

static int digit(char letter) {
    if (letter >= '0' && letter <= '9') return letter - '0';
    if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
    return -1;
}

/* Reads hex up to a space or the end; gives what follows, or null when it isn't hex. */
static char *read_hex(char *text, struct buffer *into) {
    size_t digits = strcspn(text, " ");
    forget(into);
    into->data = malloc(digits / 2 + 1);
    if (into->data == NULL || digits % 2 != 0) return NULL;
    for (size_t at = 0; at < digits; at += 2) {
        int high = digit(text[at]), low = digit(text[at + 1]);
        if (high < 0 || low < 0) return NULL;
        into->data[into->length++] = (uint8_t)(high << 4 | low);
    }
    return text[digits] == ' ' ? text + digits + 1 : text + digits;
}

/* The host's functions. */

static uint64_t host_now(void *context) {
    return ((struct machine *)context)->now;
}

static int32_t host_random(void *context, uint8_t *out, size_t length) {
    struct machine *machine = context;
    return fread(out, 1, length, machine->random) == length ? 0 : 1;
}

static int32_t host_send(void *context, const uint8_t *message, size_t length) {
    (void)context;
    print_hex("device", message, length);
    return 0;
}

static struct buffer *item(struct machine *machine, const char *name) {
    for (size_t at = 0; at < 4; at++)
        if (strcmp(machine->items[at].name, name) == 0) return &machine->items[at].content;
    return NULL;
}

static int64_t host_read(void *context, const char *name, uint64_t offset, uint8_t *out, size_t length) {
    const struct buffer *content = item(context, name);
    if (content == NULL) return -1;
    if (offset >= content->length) return 0;
    size_t left = content->length - (size_t)offset;
    size_t taken = left < length ? left : length;
    memcpy(out, content->data + offset, taken);
    return (int64_t)taken;
}

static int32_t host_replace(void *context, const char *name, const uint8_t *bytes, size_t length) {
    struct buffer *content = item(context, name);
    if (content == NULL) return 1;
    forget(content);
    return extend(content, bytes, length) ? 0 : 1;
}

static int32_t host_append(void *context, const char *name, const uint8_t *bytes, size_t length) {
    struct buffer *content = item(context, name);
    return content != NULL && extend(content, bytes, length) ? 0 : 1;
}

static ll_host host_of(struct machine *machine) {
    ll_host host = {
        .size = sizeof host,
        .context = machine,
        .now = host_now,
        .random = host_random,
        .send = host_send,
        .read = host_read,
        .replace = host_replace,
        .append = host_append,
    };
    return host;
}

/* What the kit, or a vault, tells. */

static ll_status provision(struct machine *machine) {
    ll_host host = host_of(machine);
    ll_bytes services[MOST_SERVICES];
    for (size_t at = 0; at < machine->service_count; at++) {
        services[at].data = machine->services[at].data;
        services[at].length = machine->services[at].length;
    }
    if (machine->sign_seed.length != 32 || machine->open_seed.length != 32) return LL_INVALID;
    ll_bytes root = {machine->root.data, machine->root.length};
    ll_bytes certificate = {machine->certificate.data, machine->certificate.length};
    return ll_provision(&host, machine->sign_seed.data, machine->open_seed.data, root, services,
                        machine->service_count, certificate);
}

/* Switched on; what was on before went without warning. */
static ll_status power_on(struct machine *machine) {
    ll_device_close(machine->device);
    machine->device = NULL;
    machine->acknowledged = 0;
#ifdef BREAK_FORGETS
    /* A device that keeps no journal: the kit must find it out. */
    forget(item(machine, "journal"));
#endif
    ll_host host = host_of(machine);
    return ll_device_open(&host, &machine->device);
}

/* Carries out every command there is, as a machine that acknowledges at once. */
static ll_status run(struct machine *machine) {
    char command[LL_COMMAND_SIZE];
    for (;;) {
        ll_next next;
        ll_status status = ll_device_next(machine->device, &next, command, sizeof command);
        if (status != LL_OK) return status;
        switch (next) {
        case LL_COMMAND:
            printf("command %s\n", command);
            machine->acknowledged++;
            status = ll_device_acknowledged(machine->device, machine->acknowledged);
            if (status != LL_OK) return status;
            break;
        case LL_STOP:
            printf("stop\n");
            machine->acknowledged = 0;
            break;
        case LL_NOTHING:
            machine->acknowledged = 0;
            return LL_OK;
        case LL_WAIT:
            return LL_OK;
        }
    }
}

static ll_status receive(struct machine *machine, char *text) {
    struct buffer message = {NULL, 0};
    ll_status status = LL_INVALID;
    if (read_hex(text, &message) != NULL) status = ll_device_receive(machine->device, message.data, message.length);
    forget(&message);
#ifdef BREAK_MOVES_EARLY
    /* A machine that heats before anything is checked: the kit must find it out. */
    printf("command M104 S200\n");
#endif
    return status;
}

/* Says why something went wrong, for a person. */
static void explain(struct machine *machine) {
    char words[256];
    if (machine->device != NULL && ll_device_message(machine->device, words, sizeof words) == LL_OK && words[0] != 0)
        printf("note %s\n", words);
}

static ll_status follow(struct machine *machine, char *verb, char *rest) {
    if (strcmp(verb, "now") == 0) {
        machine->now = strtoull(rest, NULL, 10);
        return LL_OK;
    }
    if (strcmp(verb, "seeds") == 0) {
        rest = read_hex(rest, &machine->sign_seed);
        return rest != NULL && read_hex(rest, &machine->open_seed) != NULL ? LL_OK : LL_INVALID;
    }
    if (strcmp(verb, "root") == 0) return read_hex(rest, &machine->root) != NULL ? LL_OK : LL_INVALID;
    if (strcmp(verb, "certificate") == 0) return read_hex(rest, &machine->certificate) != NULL ? LL_OK : LL_INVALID;
    if (strcmp(verb, "service") == 0) {
        if (machine->service_count == MOST_SERVICES) return LL_INVALID;
        return read_hex(rest, &machine->services[machine->service_count++]) != NULL ? LL_OK : LL_INVALID;
    }
    if (strcmp(verb, "provision") == 0) return provision(machine);
    if (strcmp(verb, "open") == 0) return power_on(machine);
    if (strcmp(verb, "connect") == 0) return ll_device_connected(machine->device);
    if (strcmp(verb, "disconnect") == 0) return ll_device_disconnected(machine->device, *rest != 0 ? rest : NULL);
    if (strcmp(verb, "run") == 0) return run(machine);
    if (strcmp(verb, "vault") == 0) {
        ll_status status = receive(machine, rest);
        explain(machine);
        if (status == LL_OK) return LL_OK;
        /* Whatever it was: this stream is over. */
        printf("hangup\n");
        return ll_device_disconnected(machine->device, NULL);
    }
    return LL_INVALID;
}

/* Reads a line of any length without its end; null at the end of input. */
static char *read_line(void) {
    size_t room = 256, length = 0;
    char *line = malloc(room);
    int byte = EOF;
    while (line != NULL && (byte = getchar()) != EOF && byte != '\n') {
        if (length + 1 == room) {
            char *larger = realloc(line, room *= 2);
            if (larger == NULL) free(line);
            line = larger;
            if (line == NULL) return NULL;
        }
        line[length++] = (char)byte;
    }
    if (line == NULL || (byte == EOF && length == 0)) {
        free(line);
        return NULL;
    }
    line[length] = 0;
    return line;
}

int main(void) {
    static const char *const NAMES[4] = {"keys", "identity", "journal", "segments"};
    struct machine machine = {.now = 0};
    for (size_t at = 0; at < 4; at++) machine.items[at].name = NAMES[at];
    if (ll_interface() != LL_INTERFACE) {
        fprintf(stderr, "library %s has another interface than this program's header\n", ll_version());
        return 1;
    }
    machine.random = fopen("/dev/urandom", "rb");
    if (machine.random == NULL) return 1;
    int is_over = 0;
    char *line;
    while (!is_over && (line = read_line()) != NULL) {
        char *rest = line + strcspn(line, " ");
        if (*rest == ' ') *rest++ = 0;
        is_over = strcmp(line, "end") == 0;
        ll_status status = is_over ? LL_OK : follow(&machine, line, rest);
        if (status != LL_OK) {
            explain(&machine);
            printf("failed status %d\n", (int)status);
        }
        printf("done\n");
        fflush(stdout);
        free(line);
    }
    ll_device_close(machine.device);
    fclose(machine.random);
    for (size_t at = 0; at < 4; at++) forget(&machine.items[at].content);
    for (size_t at = 0; at < machine.service_count; at++) forget(&machine.services[at]);
    forget(&machine.sign_seed);
    forget(&machine.open_seed);
    forget(&machine.root);
    forget(&machine.certificate);
    return 0;
}
