/* The interface between the harness and a backend. Reasons and rules: README.md above this folder. The Rust side is
 * src/table.rs; a test compiles this file and compares every size and offset.
 *
 * The rules in a line each; a test is named after each of them
 *   1 Every struct begins with its size; fields are only ever appended.
 *   2 Magic and major are equal on both sides; an absent function is null and its capability is not announced.
 *   3 A function returns a status and leaves a message; nothing unwinds out of it.
 *   4 The caller allocates and owns every buffer; only opaque handles are the backend's.
 *   5 One thread at a time uses a session and what came from it; two sessions share nothing that shows.
 *   6 Nothing is drawn at random.
 *   7 Symbols are resolved when the library is loaded and stay local; it is never unloaded.
 *   8 Losses and scores are f32 and finite, otherwise the call is HARNESS_NUMERIC; lack of memory is
 *     HARNESS_RESOURCE_EXHAUSTED.
 *   9 Options are JSON; an unknown key is HARNESS_INVALID_ARGUMENT.
 *  10 Peak memory is the backend's to report; 0 is unknown.
 *
 * Promises of the caller, on which a backend may rely
 *  - A handle is null or was given by this backend and not freed. Towers and trainers are freed before their session, a
 *    text tower after the trainers created with it. Freeing null does nothing.
 *  - One thread at a time uses a session and what came from it. It need not be the same thread each time.
 *  - A pointer is null or valid for the announced length until the call returns, aligned for its type. Output buffers
 *    are initialised. Nothing of the caller's may be kept, read or written after the call.
 *  - A function of an absent capability is not called.
 *
 * Promises of a backend
 *  - Nothing unwinds: exceptions and panics are caught inside and become HARNESS_INTERNAL.
 *  - Every function but last_error replaces the message of its session; describe, session_open and a call with a null
 *    handle replace that of the thread. After success the message is empty.
 *  - A shape, type, name, index or JSON key that does not fit is HARNESS_INVALID_ARGUMENT, with what was found and what
 *    was expected.
 *  - No random number is drawn.
 *
 * Sizes of text: describe and last_error write at most `capacity` bytes, no terminating zero, and set *length to the
 * whole length. Call with null and 0 to learn it.
 *
 * Letters: B, N images or sentences; S side of an image in pixels; G patches a side; T = 1 + G * G tokens, class token
 * first; W, Wt widths of image and text tower; E width of the embedding. All tensors are row-major, slowest side first.
 */
#ifndef HARNESS_BACKEND_H
#define HARNESS_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HARNESS_MAGIC UINT64_C(0x4841524E45535342)
#define HARNESS_MAJOR UINT32_C(2)
#define HARNESS_MINOR UINT32_C(4)
#define HARNESS_REQUIRED_SIZE 184

/* Statuses. */
#define HARNESS_OK 0
#define HARNESS_INVALID_ARGUMENT 1
#define HARNESS_UNSUPPORTED 2
#define HARNESS_RESOURCE_EXHAUSTED 3
#define HARNESS_NUMERIC 4
#define HARNESS_INTERNAL 5

/* Types of elements. */
#define HARNESS_F32 UINT32_C(1)
#define HARNESS_F16 UINT32_C(2)
#define HARNESS_BF16 UINT32_C(3)
#define HARNESS_U8 UINT32_C(4)
#define HARNESS_I32 UINT32_C(5)
#define HARNESS_U32 UINT32_C(6)

typedef struct harness_session harness_session_t;
typedef struct harness_image_tower harness_image_tower_t;
typedef struct harness_text_tower harness_text_tower_t;
typedef struct harness_trainer harness_trainer_t;

typedef struct harness_tensor {
  size_t size;         /* of this struct; in an array, the distance to the next */
  const char *name;    /* UTF-8, not terminated; null where a tensor is known by its position */
  size_t name_length;  /* bytes */
  uint32_t dtype;      /* HARNESS_F32 ... */
  uint32_t rank;       /* sides */
  const size_t *shape; /* rank of them */
  void *data;          /* written only where a function says so */
  size_t bytes;        /* of data: product of the shape times the element's */
} harness_tensor_t;

typedef struct harness_memory {
  size_t size; /* set by the caller; fields beyond it are not written */
  uint64_t host_peak_bytes;   /* 0 is unknown */
  uint64_t device_peak_bytes; /* 0 is unknown */
} harness_memory_t;

typedef struct harness_backend_table {
  size_t size; /* of this struct, as the backend was built */
  uint64_t magic;
  uint32_t major;
  uint32_t minor;

  /* Always there. */

  /* JSON: {"name", "version", "devices": [..], "precisions": [..], "capabilities": [..], "note" (optional)}; the first
   * device is the default; the note is one line for people, such as why there is no device. The capability "compiles" has no
   * functions: kernels are chosen by their time when they first run, and what was found is kept for later processes. */
  int32_t (*describe)(char *buffer, size_t capacity, size_t *length);
  /* The message of the last call on a session, or with null of this thread's last call without one. */
  int32_t (*last_error)(const harness_session_t *session, char *buffer, size_t capacity, size_t *length);
  /* options: {"device", "threads" (optional), "tf32" (optional)}. tf32 is true or absent, and sent only to a backend whose
   * precisions include "tf32": products of f32 matrices may then round their factors, else they may not. */
  int32_t (*session_open)(const char *options, size_t options_length, harness_session_t **session);
  int32_t (*session_close)(harness_session_t *session);

  /* Capability "memory". */
  int32_t (*memory)(harness_session_t *session, harness_memory_t *memory);

  /* Capability "image_tower". */

  /* options: {"arch", "image_size", "taps", "activation", "normalize", "precision"}; tensors in OpenAI's names, f32, f16
   * or bf16, perhaps others among them; the position table is as in the file, resize it. */
  int32_t (*image_tower_load)(harness_session_t *session, const char *options, size_t options_length,
                              const harness_tensor_t *tensors, size_t tensor_count, harness_image_tower_t **tower);
  /* images [B, 3, S, S], u8 of 0 to 255 or f32 of 0 to 1, before `normalize`. Writes one f32 [B, T, W] a tap. */
  int32_t (*image_tower_encode)(harness_image_tower_t *tower, const harness_tensor_t *images,
                                const harness_tensor_t *taps, size_t tap_count);
  int32_t (*image_tower_free)(harness_image_tower_t *tower);

  /* Capability "text_tower". */

  /* options: {"arch", "activation"}; tensors in OpenAI's names without token_embedding.weight. */
  int32_t (*text_tower_load)(harness_session_t *session, const char *options, size_t options_length,
                             const harness_tensor_t *tensors, size_t tensor_count, harness_text_tower_t **tower);
  /* embedded f32 [N, context, Wt], positions not added; eot u32 [N]; causal 0 or 1. Writes features f32 [N, E], not
   * normalised. */
  int32_t (*text_tower_encode)(harness_text_tower_t *tower, const harness_tensor_t *embedded,
                               const harness_tensor_t *eot, uint32_t causal, const harness_tensor_t *features);
  int32_t (*text_tower_free)(harness_text_tower_t *tower);

  /* Capability "trainer"; trainer_gradients is capability "gradients", maps that are not null capability "maps". */

  /* options: {"options", "arch", "has_masks", "learning_rate", "losses": [..]}; losses names those of a step, in order: they
   * follow from options and has_masks, and others are HARNESS_INVALID_ARGUMENT. text_tower null under prompts = "free".
   * prompts for each side, "normal" and "abnormal": learned prompt.<side>.embedded f32 [7, context, Wt],
   * prompt.<side>.eot u32 [7], prompt.<side>.lengths u32 [7]; fixed fixed.<side>.embedded f32 [N, context, Wt],
   * fixed.<side>.eot u32 [N]. state: every parameter, f32.
   * Capability "heads": with "model": "heads" in the options, "options" are those of heads (docs/methods.md), text_tower is
   * null, and prompts hold text.direction f32 [E] and, where heads feed the stream, the tower's blocks behind the first tap. */
  int32_t (*trainer_create)(harness_session_t *session, const char *options, size_t options_length,
                            harness_text_tower_t *text_tower, const harness_tensor_t *prompts, size_t prompt_count,
                            const harness_tensor_t *state, size_t state_count, harness_trainer_t **trainer);
  /* One f32 [N, T, W] a tap; labels u8 [N], 1 abnormal, 0 normal; masks u8 [N, S, S] of 0 and 1, null if and only if not
   * has_masks. Adds to what is held; a failed call adds nothing. */
  int32_t (*trainer_append_support)(harness_trainer_t *trainer, const harness_tensor_t *taps, size_t tap_count,
                                    const harness_tensor_t *labels, const harness_tensor_t *masks);
  /* indices u32 [B] in order of appending. One Adam step on the sum of the losses. Writes losses f32, one for each name in
   * the options, as they were before the update. If one is not finite: HARNESS_NUMERIC and no update. */
  int32_t (*trainer_step)(harness_trainer_t *trainer, const harness_tensor_t *indices, const harness_tensor_t *losses);
  /* As a step, without the update. Writes the named f32 tensors. */
  int32_t (*trainer_gradients)(harness_trainer_t *trainer, const harness_tensor_t *indices,
                               const harness_tensor_t *gradients, size_t gradient_count);
  /* Writes the named f32 tensors, some parameters or all. */
  int32_t (*trainer_read_state)(harness_trainer_t *trainer, const harness_tensor_t *state, size_t state_count);
  /* Reads every parameter, f32; a failed call changes nothing. Adam's moments and step count become zero. */
  int32_t (*trainer_write_state)(harness_trainer_t *trainer, const harness_tensor_t *state, size_t state_count);
  /* Writes the unit vectors of normal and abnormal text, f32 [2, E]. */
  int32_t (*trainer_text)(harness_trainer_t *trainer, const harness_tensor_t *text);
  /* One f32 [B, T, W] a tap. Writes grids f32 [B, taps, G, G] (s_ab - s_n of the seg heads), detection f32 [B] and,
   * unless null, maps f32 [B, S, S]. Of heads: grids f32 [B, K, G, G]: for each head one a tap of logits, then with a bank
   * for each head one a tap of distances to the normal support images held; detection and maps are null. */
  int32_t (*trainer_score)(harness_trainer_t *trainer, const harness_tensor_t *taps, size_t tap_count,
                           const harness_tensor_t *grids, const harness_tensor_t *detection,
                           const harness_tensor_t *maps);
  int32_t (*trainer_free)(harness_trainer_t *trainer);

  /* Capability "gemm". Measures now: writes the device's rate of products of large f32 matrices, in
   * 10^9 operations a second. */
  int32_t (*gemm_rate)(harness_session_t *session, double *gflops);

  /* Capability "windows". images as for image_tower_encode; side w is at least 1 and at most G. Every window of w x w
   * patches, row by row, goes alone through the blocks up to the last tap: the class token and w * w patch tokens, each with
   * the position it has in the whole image. Writes the class tokens behind the last of these blocks, f32
   * [B, (G - w + 1) * (G - w + 1), W]: neither normalised nor projected. */
  int32_t (*image_tower_encode_windows)(harness_image_tower_t *tower, const harness_tensor_t *images, uint32_t side,
                                        const harness_tensor_t *windows);

  /* Capability "nearest". bank f32 [M, D], queries f32 [N, D]. Writes distances f32 [N]: 1 less the largest product of a
   * query with a row of the bank. A query or a bank with a number that is not finite is HARNESS_NUMERIC. */
  int32_t (*nearest)(harness_session_t *session, const harness_tensor_t *bank, const harness_tensor_t *queries,
                     const harness_tensor_t *distances);

  /* Capability "resume": a training that was interrupted goes on as if it had not been. */

  /* Writes Adam's moments, f32 in the shape of their parameter: "first.<parameter>" and "second.<parameter>", zeros where a
   * parameter has none yet. Sets *steps to the steps they come from. */
  int32_t (*trainer_read_moments)(harness_trainer_t *trainer, const harness_tensor_t *moments, size_t moment_count,
                                  uint64_t *steps);
  /* Reads both moments of every parameter and the count of steps; a failed call changes nothing. After trainer_write_state
   * with the parameters of the same moment, the next steps are those that the trainer they came from would have made. */
  int32_t (*trainer_write_moments)(harness_trainer_t *trainer, const harness_tensor_t *moments, size_t moment_count,
                                   uint64_t steps);

  /* Capability "held_taps": taps of images that many states score are sent to the device once, as a set of its trainer. A set
   * has a number that is not 0 and that no other set of this process ever had: one that is not held, because it was released
   * or is another trainer's, is HARNESS_INVALID_ARGUMENT. Freeing the trainer releases what it holds. */

  /* Sets *bytes to those of taps that the device has room for now: UINT64_MAX where it can't tell, 0 where holding saves
   * nothing, as where the device's memory is the host's. The caller leaves a part of it for scoring. */
  int32_t (*trainer_room)(harness_trainer_t *trainer, uint64_t *bytes);
  /* One f32 [N, T, W] a tap. Holds them, whatever states are written, and sets *set. A failed call holds nothing. */
  int32_t (*trainer_hold_taps)(harness_trainer_t *trainer, const harness_tensor_t *taps, size_t tap_count, uint64_t *set);
  /* indices u32 [B] of a set's images, in any order. Writes the bytes that trainer_score writes for their taps. */
  int32_t (*trainer_score_held)(harness_trainer_t *trainer, uint64_t set, const harness_tensor_t *indices,
                                const harness_tensor_t *grids, const harness_tensor_t *detection,
                                const harness_tensor_t *maps);
  int32_t (*trainer_release_taps)(harness_trainer_t *trainer, uint64_t set);
} harness_backend_table_t;

/* Sizes and offsets, which no compiler and no option may change. */
#ifdef __cplusplus
#define HARNESS_ASSERT(condition) static_assert(condition, "laid out otherwise than the harness expects")
#else
#define HARNESS_ASSERT(condition) _Static_assert(condition, "laid out otherwise than the harness expects")
#endif
#define HARNESS_AT(type, field, offset) HARNESS_ASSERT(offsetof(type, field) == (offset))
HARNESS_ASSERT(sizeof(harness_tensor_t) == 56);
HARNESS_AT(harness_tensor_t, size, 0);
HARNESS_AT(harness_tensor_t, name, 8);
HARNESS_AT(harness_tensor_t, name_length, 16);
HARNESS_AT(harness_tensor_t, dtype, 24);
HARNESS_AT(harness_tensor_t, rank, 28);
HARNESS_AT(harness_tensor_t, shape, 32);
HARNESS_AT(harness_tensor_t, data, 40);
HARNESS_AT(harness_tensor_t, bytes, 48);
HARNESS_ASSERT(sizeof(harness_memory_t) == 24);
HARNESS_AT(harness_memory_t, size, 0);
HARNESS_AT(harness_memory_t, host_peak_bytes, 8);
HARNESS_AT(harness_memory_t, device_peak_bytes, 16);
HARNESS_ASSERT(sizeof(harness_backend_table_t) == 256);
HARNESS_AT(harness_backend_table_t, size, 0);
HARNESS_AT(harness_backend_table_t, magic, 8);
HARNESS_AT(harness_backend_table_t, major, 16);
HARNESS_AT(harness_backend_table_t, minor, 20);
HARNESS_AT(harness_backend_table_t, describe, 24);
HARNESS_AT(harness_backend_table_t, last_error, 32);
HARNESS_AT(harness_backend_table_t, session_open, 40);
HARNESS_AT(harness_backend_table_t, session_close, 48);
HARNESS_AT(harness_backend_table_t, memory, 56);
HARNESS_AT(harness_backend_table_t, image_tower_load, 64);
HARNESS_AT(harness_backend_table_t, image_tower_encode, 72);
HARNESS_AT(harness_backend_table_t, image_tower_free, 80);
HARNESS_AT(harness_backend_table_t, text_tower_load, 88);
HARNESS_AT(harness_backend_table_t, text_tower_encode, 96);
HARNESS_AT(harness_backend_table_t, text_tower_free, 104);
HARNESS_AT(harness_backend_table_t, trainer_create, 112);
HARNESS_AT(harness_backend_table_t, trainer_append_support, 120);
HARNESS_AT(harness_backend_table_t, trainer_step, 128);
HARNESS_AT(harness_backend_table_t, trainer_gradients, 136);
HARNESS_AT(harness_backend_table_t, trainer_read_state, 144);
HARNESS_AT(harness_backend_table_t, trainer_write_state, 152);
HARNESS_AT(harness_backend_table_t, trainer_text, 160);
HARNESS_AT(harness_backend_table_t, trainer_score, 168);
HARNESS_AT(harness_backend_table_t, trainer_free, 176);
HARNESS_AT(harness_backend_table_t, gemm_rate, 184);
HARNESS_AT(harness_backend_table_t, image_tower_encode_windows, 192);
HARNESS_AT(harness_backend_table_t, nearest, 200);
HARNESS_AT(harness_backend_table_t, trainer_read_moments, 208);
HARNESS_AT(harness_backend_table_t, trainer_write_moments, 216);
HARNESS_AT(harness_backend_table_t, trainer_room, 224);
HARNESS_AT(harness_backend_table_t, trainer_hold_taps, 232);
HARNESS_AT(harness_backend_table_t, trainer_score_held, 240);
HARNESS_AT(harness_backend_table_t, trainer_release_taps, 248);
#undef HARNESS_AT
#undef HARNESS_ASSERT

/* The one symbol a plugin exports. The table lives as long as the process. */
const harness_backend_table_t *harness_backend_table(void);

#ifdef __cplusplus
}
#endif

#endif
