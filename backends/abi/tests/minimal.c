/* A complete small backend in C: it opens a session, reports memory, and knows an image tower that copies the mean pixel
 * of an image into every element of its taps. For tests, and to start from. */
#include "harness_backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct harness_session {
  char message[160];
};

struct harness_image_tower {
  struct harness_session *session;
};

static _Thread_local char thread_message[160];

static int32_t put(const char *text, char *buffer, size_t capacity, size_t *length) {
  size_t whole = strlen(text);
  if (length == NULL || (buffer == NULL && capacity != 0)) return HARNESS_INVALID_ARGUMENT;
  *length = whole;
  if (buffer != NULL) memcpy(buffer, text, whole < capacity ? whole : capacity);
  return HARNESS_OK;
}

static int32_t describe(char *buffer, size_t capacity, size_t *length) {
  return put("{\"name\":\"minimal\",\"version\":\"0.1.0\",\"devices\":[\"cpu\"],\"precisions\":[\"f32\"],"
             "\"capabilities\":[\"image_tower\",\"memory\",\"something_newer\"],\"note\":\"unknown keys are fine here\"}",
             buffer, capacity, length);
}

static int32_t last_error(const harness_session_t *session, char *buffer, size_t capacity, size_t *length) {
  return put(session == NULL ? thread_message : session->message, buffer, capacity, length);
}

static int32_t session_open(const char *options, size_t options_length, harness_session_t **session) {
  static const char only[] = "{\"device\":\"cpu\"}";
  *session = NULL;
  if (options_length != sizeof only - 1 || memcmp(options, only, options_length) != 0) {
    snprintf(thread_message, sizeof thread_message, "options: expected %s", only);
    return HARNESS_INVALID_ARGUMENT;
  }
  *session = calloc(1, sizeof **session);
  if (*session == NULL) return HARNESS_RESOURCE_EXHAUSTED;
  thread_message[0] = 0;
  return HARNESS_OK;
}

static int32_t session_close(harness_session_t *session) {
  free(session);
  return HARNESS_OK;
}

static int32_t memory(harness_session_t *session, harness_memory_t *memory) {
  session->message[0] = 0;
  memory->host_peak_bytes = 4096;
  memory->device_peak_bytes = 0;
  return HARNESS_OK;
}

static int32_t image_tower_load(harness_session_t *session, const char *options, size_t options_length,
                                const harness_tensor_t *tensors, size_t tensor_count, harness_image_tower_t **tower) {
  const harness_tensor_t *tensor = tensors;
  (void)options;
  (void)options_length;
  *tower = NULL;
  session->message[0] = 0;
  /* The distance to the next tensor is what the one before says, not what this file was compiled with. */
  for (size_t i = 0; i < tensor_count; i++) {
    if (tensor->dtype != HARNESS_F32) {
      snprintf(session->message, sizeof session->message, "tensor `%.*s` is not f32", (int)tensor->name_length,
               tensor->name);
      return HARNESS_UNSUPPORTED;
    }
    tensor = (const harness_tensor_t *)(const void *)((const char *)tensor + tensor->size);
  }
  *tower = calloc(1, sizeof **tower);
  if (*tower == NULL) return HARNESS_RESOURCE_EXHAUSTED;
  (*tower)->session = session;
  return HARNESS_OK;
}

static int32_t image_tower_encode(harness_image_tower_t *tower, const harness_tensor_t *images,
                                  const harness_tensor_t *taps, size_t tap_count) {
  size_t batch = images->shape[0], pixels = images->bytes / batch;
  const harness_tensor_t *tap = taps;
  tower->session->message[0] = 0;
  if (images->dtype != HARNESS_U8) {
    strcpy(tower->session->message, "this backend encodes u8 alone");
    return HARNESS_UNSUPPORTED;
  }
  for (size_t t = 0; t < tap_count; t++) {
    size_t elements = tap->bytes / sizeof(float) / batch;
    for (size_t b = 0; b < batch; b++) {
      double sum = 0.0;
      for (size_t i = 0; i < pixels; i++) sum += ((const uint8_t *)images->data)[b * pixels + i];
      for (size_t i = 0; i < elements; i++) ((float *)tap->data)[b * elements + i] = (float)(sum / (double)pixels);
    }
    tap = (const harness_tensor_t *)(const void *)((const char *)tap + tap->size);
  }
  return HARNESS_OK;
}

static int32_t image_tower_free(harness_image_tower_t *tower) {
  free(tower);
  return HARNESS_OK;
}

static const harness_backend_table_t table = {
    .size = sizeof(harness_backend_table_t),
    .magic = HARNESS_MAGIC,
    .major = HARNESS_MAJOR,
    .minor = HARNESS_MINOR,
    .describe = describe,
    .last_error = last_error,
    .session_open = session_open,
    .session_close = session_close,
    .memory = memory,
    .image_tower_load = image_tower_load,
    .image_tower_encode = image_tower_encode,
    .image_tower_free = image_tower_free,
};

const harness_backend_table_t *harness_backend_table(void) { return &table; }
