//! Which failures deserve a second attempt in the same run.

use harness_records::Class;

/// Attempts at a job in one run.
const ATTEMPTS: u32 = 2;

/// Whether a job whose attempt number `attempt` (from 1) failed in this way is tried again, by a new worker. Not what
/// would be the same the next time, nor what took all the time it may.
pub(crate) fn again(class: Class, attempt: u32) -> bool {
    let passing = match class {
        Class::Crashed | Class::Stalled | Class::Exhausted | Class::Disk => true,
        Class::Input | Class::Numeric | Class::Backend | Class::TimeLimit | Class::Internal => false,
    };
    passing && attempt < ATTEMPTS
}

/// Whether a training that failed in this way may go on where it was: what would be the same again, or may be the fault
/// of what was kept, begins anew.
pub(crate) fn may_go_on(class: Class) -> bool {
    match class {
        Class::Crashed | Class::Stalled | Class::Exhausted | Class::Disk | Class::Backend | Class::TimeLimit => true,
        Class::Input | Class::Numeric | Class::Internal => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_twice_and_what_is_the_same_next_time_once() {
        for class in [Class::Crashed, Class::Stalled, Class::Exhausted, Class::Disk] {
            assert!(again(class, 1) && !again(class, 2), "{class}");
        }
        for class in [Class::Input, Class::Numeric, Class::Backend, Class::TimeLimit, Class::Internal] {
            assert!(!again(class, 1), "{class}");
        }
    }
}
