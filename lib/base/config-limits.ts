/** The limits of a conf file and of the rules in it. */
/** Bytes of a conf file; beyond: refused. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
/** Nodes that the aliases of a conf file may stand for, in all; beyond: refused. */
export const MAX_CONFIG_ALIASES = 100;
/** Problems of a conf file that are told at once; beyond: their number. */
export const MAX_CONFIG_PROBLEMS = 50;
/** Longest value that the line about a changed option shows, in characters. */
export const MAX_CHANGE_TEXT = 80;
/** How long a conf file must have stayed as it is before a change of it is read: it may be half written. */
export const CONFIG_SETTLE_MS = 200;
/** How often a watched conf file is looked at. */
export const CONFIG_WATCH_MS = 1000;
/** Longest regular expression of a rule, in characters. */
export const MAX_PATTERN_LENGTH = 1024;
/** Most members of one list in a rule's match. */
export const MAX_MATCH_MEMBERS = 100;
/** Most entries of one list of rules. */
export const MAX_RULES = 1000;
/** Most names in one list of a rule that makes keys or edits fields. */
export const MAX_KEY_PARTS = 32;
/** Most characters of a line of a conf file that a message shows. */
export const MAX_SHOWN_LINE = 120;
/** Most addresses and networks in one list. */
export const MAX_NETWORKS = 100;
