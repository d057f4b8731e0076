/*
 * Layerlock's device for firmware written in C. Made from device-client/c/src by cbindgen: change it there.
 *
 * Rules that hold for every function here:
 * - Ownership: what is passed in is read during the call and never kept, but for the `ll_host` given to
 *   `ll_device_open`, whose `context` and functions must stay usable until `ll_device_close`. Nothing returned has
 *   to be freed but the device itself.
 * - Threads: there are none of ours, and no global state. One device may be used by one thread at a time; moving
 *   it between threads is fine. Calls that overlap, also from inside a callback, give `LL_BUSY` and do nothing.
 * - Errors: what isn't `LL_OK` says why in `ll_status`; `ll_device_message` has words for a person.
 * - Panics never cross: they end as `LL_PANIC`, after which the device answers nothing else. Callbacks must
 *   return: no `longjmp`, no C++ exception.
 */

#ifndef LAYERLOCK_DEVICE_H
#define LAYERLOCK_DEVICE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 Room for one command and its closing zero, in bytes.
 */
#define LL_COMMAND_SIZE 96

/*
 Version of this interface. A program built with another first number must not go on.
 */
#define LL_INTERFACE 1

/*
 How a call ended.
 */
enum ll_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   As asked.
   */
  LL_OK = 0,
  /*
   A pointer is null, or a length or a size is not what the function asks for.
   */
  LL_INVALID = 1,
  /*
   Another call on the same device has not returned.
   */
  LL_BUSY = 2,
  /*
   Something in here is broken. The device answers nothing else; close it and report a defect.
   */
  LL_PANIC = 3,
  /*
   A callback failed. Close the device, see to it, open it again.
   */
  LL_HOST = 4,
  /*
   What is stored, or was to be provisioned, is missing, malformed or not believed.
   */
  LL_NOT_PROVISIONED = 5,
  /*
   The vault's message has no place here. End the stream, then open another.
   */
  LL_OUT_OF_TURN = 6,
  /*
   The link is over for good: fenced, behind, revoked, or what answered is not the vault.
   */
  LL_LINK = 7,
  /*
   The ledger showed something it must not.
   */
  LL_LEDGER = 8,
  /*
   The device is halted: a person must look.
   */
  LL_HALTED = 9,
  /*
   Nothing is in motion: there is nothing to pause, or to go on with.
   */
  LL_NOTHING_MOVES = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ll_status ll_status;
#else
typedef int32_t ll_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 What the machine is to do.
 */
enum ll_next
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   Nothing is in motion.
   */
  LL_NOTHING = 0,
  /*
   A key, an acknowledgement or the end of a pause is awaited: ask again in a while.
   */
  LL_WAIT = 1,
  /*
   Carry out the command that was written.
   */
  LL_COMMAND = 2,
  /*
   Motion was broken off: heaters off, motors still, now.
   */
  LL_STOP = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ll_next ll_next;
#else
typedef int32_t ll_next;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 Where a device stands.
 */
enum ll_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   Nothing to do.
   */
  LL_IDLE = 0,
  /*
   Ciphertext is coming.
   */
  LL_FETCHING = 1,
  /*
   The envelope is whole; the first key isn't here.
   */
  LL_CHECKED = 2,
  /*
   The machine moves.
   */
  LL_PRINTING = 3,
  /*
   The machine rests in mid-job.
   */
  LL_PAUSED = 4,
  /*
   It is over here; the ledger's entry is awaited.
   */
  LL_REPORTING = 5,
  /*
   A person must look.
   */
  LL_STATE_HALTED = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ll_state ll_state;
#else
typedef int32_t ll_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 How a job ended.
 */
enum ll_outcome
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   Printed to its end.
   */
  LL_PRINTED = 0,
  /*
   It failed.
   */
  LL_FAILED = 1,
  /*
   A person stopped it.
   */
  LL_CANCELLED = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ll_outcome ll_outcome;
#else
typedef int32_t ll_outcome;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 What is on a machine's bed.
 */
enum ll_bed
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   Nothing. A print leaves it taken.
   */
  LL_BED_CLEAR = 0,
  /*
   A print, whole or begun.
   */
  LL_BED_TAKEN = 1,
  /*
   Nothing, whatever was printed: a belt, or a robot.
   */
  LL_BED_CLEARS_ITSELF = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ll_bed ll_bed;
#else
typedef int32_t ll_bed;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 A device. Opaque.
 */
typedef struct ll_device ll_device;

/*
 What the caller brings. All functions are called on the thread of the call that needs them, with `context`, and
 must not call into the same device. Where a function gives a number, 0 is success and anything else failure.

 The items of the storage are `keys`, `identity`, `journal` and `segments`. `keys` holds secrets: encrypted
 storage of your own, readable by this program alone. `journal` must be durable when `append` returns, or a job
 may print twice.
 */
typedef struct ll_host {
  /*
   `sizeof(ll_host)`: another one is another version.
   */
  size_t size;
  /*
   Handed to every function as it is.
   */
  void *context;
  /*
   Milliseconds since 1970, as well as the machine knows.
   */
  uint64_t (*now)(void *context);
  /*
   Fills `out` from a random source fit for keys.
   */
  int32_t (*random)(void *context, uint8_t *out, size_t length);
  /*
   Sends one encoded `layerlock.vault.v1.DeviceMessage` into the open stream; it may be queued.
   */
  int32_t (*send)(void *context, const uint8_t *message, size_t length);
  /*
   Reads an item from `offset`; gives how many bytes there were, fewer than `length` at its end only, or a
   negative number for a failure. An item that was never written is empty.
   */
  int64_t (*read)(void *context, const char *item, uint64_t offset, uint8_t *out, size_t length);
  /*
   Puts bytes in the item's place: all of them or none, durably.
   */
  int32_t (*replace)(void *context, const char *item, const uint8_t *bytes, size_t length);
  /*
   Puts bytes at the item's end; of `journal` durably.
   */
  int32_t (*append)(void *context, const char *item, const uint8_t *bytes, size_t length);
} ll_host;

/*
 Some bytes of the caller's.
 */
typedef struct ll_bytes {
  /*
   The first of them.
   */
  const uint8_t *data;
  /*
   How many.
   */
  size_t length;
} ll_bytes;

/*
 What became of the last job that is over.
 */
typedef struct ll_ending {
  /*
   How it ended.
   */
  ll_outcome outcome;
  /*
   1 when its settlement was found in the ledger, else 0.
   */
  uint8_t is_in_ledger;
  /*
   Whole layers printed.
   */
  uint32_t layers;
  /*
   Of so many.
   */
  uint32_t total_layers;
  /*
   Commands acknowledged.
   */
  uint64_t commands;
} ll_ending;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The version of this library, such as `0.1.0`. The text is never freed.
 */
const char *ll_version(void);

/*
 The interface this library was built with; compare it with `LL_INTERFACE` of the header.
 */
uint32_t ll_interface(void);

/*
 Verifies and stores what makes a device: two seeds of 32 bytes, the pinned root, the services' certificates and
 the licensor's certificate for the two keys. Replaces the items `keys` and `identity` and nothing else. The seeds
 are secrets: wipe yours afterwards.

 # Safety
 `host` points to a filled `ll_host`; each seed to 32 bytes; `services` to `service_count` entries; every length
 is that of its bytes.
 */
ll_status ll_provision(const struct ll_host *host,
                       const uint8_t *sign_seed,
                       const uint8_t *open_seed,
                       struct ll_bytes root,
                       const struct ll_bytes *services,
                       size_t service_count,
                       struct ll_bytes certificate);

/*
 Opens a provisioned device and writes it to `device`, which `ll_device_close` frees. A print that was in motion
 when power was cut has failed: ask `ll_device_next`, which then says `LL_STOP` first.

 # Safety
 `host` points to a filled `ll_host`, `device` to room for a pointer.
 */
ll_status ll_device_open(const struct ll_host *host,
                         struct ll_device **device);

/*
 Closes a device: its keys are erased from memory, what it owes is in the journal. Null does nothing.

 # Safety
 `device` came from `ll_device_open` and was not closed; no other call on it is under way.
 */
void ll_device_close(struct ll_device *device);

/*
 A stream of `Sessions.OpenSession` stands: the vault's challenge comes next.

 # Safety
 `device` is open.
 */
ll_status ll_device_connected(struct ll_device *device);

/*
 The stream is over. `reason` is the `reason` of the `google.rpc.ErrorInfo` in the status it ended with, such as
 `SESSION_FENCED`, or null. `LL_LINK`: open no other stream before a person has looked.

 # Safety
 `device` is open; `reason` is null or ends in a zero.
 */
ll_status ll_device_disconnected(struct ll_device *device,
                                 const char *reason);

/*
 Takes one encoded `layerlock.vault.v1.VaultMessage`, as it came out of the stream. Answers go out through the
 host's `send` before this returns. A refused offer, segment or key is `LL_OK`: `ll_device_message` says why.

 # Safety
 `device` is open; `message` points to `length` bytes.
 */
ll_status ll_device_receive(struct ll_device *device, const uint8_t *message, size_t length);

/*
 What the machine is to do now. For `LL_COMMAND` one line of G-code, without line end, is written to `command`
 with a closing zero; `size` is its room, `LL_COMMAND_SIZE` or more. Wipe it when the machine has it.

 # Safety
 `device` is open; `next` has room for an `ll_next`, `command` for `size` bytes.
 */
ll_status ll_device_next(struct ll_device *device, ll_next *next, char *command, size_t size);

/*
 The machine has acknowledged so many commands of this job, counted from its start. Receipts of whole layers go
 out, and keys come against receipts: acknowledge as the machine does, not ahead of it.

 # Safety
 `device` is open.
 */
ll_status ll_device_acknowledged(struct ll_device *device,
                                 uint64_t commands);

/*
 What is in the machine and on its bed, as its owner says: the filament's name (`pla`, `petg`, `abs`, `asa`, `tpu`; null for any), the
 nozzle's diameter in micrometres (0 for the machine's own) and the bed. Nothing is held against a job before this is
 said. From then on a job the machine isn't ready for waits, `ll_device_message` says for what, and a print leaves a
 clear bed taken until this is said again after it. Not kept: say it after each opening. `LL_INVALID` for a name that is no filament's, and
 for a `bed` that is no `ll_bed`.

 # Safety
 `device` is open; `material` is null or ends with a zero.
 */
ll_status ll_device_loaded(struct ll_device *device,
                           const char *material,
                           uint32_t nozzle_um,
                           int32_t bed);

/*
 The machine or a person pauses: no command is given out until `ll_device_resume`. `LL_NOTHING_MOVES` before the first command: a
 job that is coming can be stopped.

 # Safety
 `device` is open.
 */
ll_status ll_device_pause(struct ll_device *device);

/*
 Whoever paused goes on.

 # Safety
 `device` is open.
 */
ll_status ll_device_resume(struct ll_device *device);

/*
 A person stops the print: it is reported as cancelled at what was acknowledged, and `LL_STOP` comes next. A job that is
 coming is refused, and moves nothing.

 # Safety
 `device` is open.
 */
ll_status ll_device_stop(struct ll_device *device);

/*
 The machine can't go on: the print is reported as failed at what was acknowledged. `LL_STOP` comes next.

 # Safety
 `device` is open.
 */
ll_status ll_device_machine_failed(struct ll_device *device);

/*
 Writes where the device stands.

 # Safety
 `device` is open; `state` has room for an `ll_state`.
 */
ll_status ll_device_state(struct ll_device *device, ll_state *state);

/*
 Writes what became of the last job that is over. `LL_INVALID` when none is.

 # Safety
 `device` is open; `ending` has room for an `ll_ending`.
 */
ll_status ll_device_ending(struct ll_device *device, struct ll_ending *ending);

/*
 Writes why the last thing that was refused or failed was, for a person, with a closing zero and cut to `size`.
 Empty when nothing was. It names no secret.

 # Safety
 `device` is open; `text` has room for `size` bytes, one or more.
 */
ll_status ll_device_message(struct ll_device *device,
                            char *text,
                            size_t size);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LAYERLOCK_DEVICE_H */
