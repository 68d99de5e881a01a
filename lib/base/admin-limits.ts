/** The limits of the operators' listener. */
/** Connections to the admin listener at once; beyond: closed at once. */
export const ADMIN_MAX_CONNECTIONS = 128;
/** Bytes of a request head on the admin listener; beyond: 431. */
export const ADMIN_MAX_HEAD_BYTES = 16 * 1024;
/** Time for a request head on the admin listener, beyond: 408; and the longest time without a byte of its body. */
export const ADMIN_REQUEST_TIMEOUT_MS = 10_000;
/** How often connections of the admin listener are looked at for slow ones: the precision of that time. */
export const ADMIN_SWEEP_MS = 1_000;
/** Time that an idle connection to the admin listener stays open. */
export const ADMIN_KEEP_ALIVE_MS = 5_000;
/** Longest time that closing the admin listener waits for running requests. */
export const ADMIN_CLOSE_TIMEOUT_MS = 1_000;
/** Bytes of a JSON body to the admin listener; beyond: 413. */
export const ADMIN_MAX_BODY_BYTES = 64 * 1024;
/** Time for a whole request to the admin listener, its body included; beyond: 408. */
export const ADMIN_BODY_TIMEOUT_MS = 300_000;
/** Longest time that an operation is waited for; beyond: the answer says that it goes on. */
export const ADMIN_MAX_WAIT_MS = 60_000;
/** Entries of one page of the list of stored responses, unless asked for otherwise. */
export const ADMIN_PAGE_COUNT = 100;
/** Most entries of one page. */
export const ADMIN_MAX_PAGE_COUNT = 1_000;
/** Stored responses that one page looks at; beyond: the page is shorter, and the next one goes on. */
export const ADMIN_SCAN_COUNT = 20_000;
/** The same of what is below memory, where a look costs more. */
export const ADMIN_SCAN_BELOW_COUNT = 2_000;
/** Places for how the last exchange with the origin for a key ended, for operators; of two keys in one place the newer stays. */
export const NOTED_REFRESHES = 16_384;

/** Longest time that a command for a running proxy waits without a byte: of an operation on all that is stored, many times over. */
export const COMMAND_IDLE_TIMEOUT_MS = 300_000;
