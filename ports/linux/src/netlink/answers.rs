//! The answers of the kernel to a batch of requests.

use std::io;
use std::ops::Range;

use super::*;

/// Notices in a row that answers were lost, after which the rest is not waited for.
const MAX_LOSSES: usize = 16;

/// The result of each request of a batch: `None` while it has not been answered.
#[derive(Debug)]
pub(super) struct Answers {
    /// The sequence number of the first request.
    first: u32,
    /// Numbers of errno; 0 for success.
    errors: Vec<Option<i32>>,
}

impl Answers {
    /// No answer yet to any of `requests`.
    pub(super) fn new(requests: &Requests) -> Self {
        Self {
            first: *requests.sequences().start(),
            errors: vec![None; requests.len()],
        }
    }

    /// Takes datagrams from `receive` until the requests at `places` are answered or there is none:
    /// the kernel answers before the request has been sent. Gives `sink` what the kernel says about
    /// them besides. Answers to others are passed over.
    pub(super) fn collect(
        &mut self,
        places: Range<usize>,
        room: &mut [u8],
        mut receive: impl FnMut(&mut [u8]) -> io::Result<usize>,
        sink: &mut dyn FnMut(Event),
    ) {
        let mut losses = 0;
        while self.is_missing(places.clone()) {
            match receive(room) {
                Ok(len) => self.take(room.get(..len).unwrap_or_default(), sink),
                // One or more had no room. There may be others.
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EMSGSIZE))
                        && losses < MAX_LOSSES =>
                {
                    losses += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.refuse(places, &error),
            }
        }
    }

    fn is_missing(&self, places: Range<usize>) -> bool {
        let answers = self.errors.get(places);
        answers.is_some_and(|answers| answers.contains(&None))
    }

    fn take(&mut self, datagram: &[u8], sink: &mut dyn FnMut(Event)) {
        for message in messages(datagram) {
            let place = message.sequence.wrapping_sub(self.first) as usize;
            let Some(answer) = self.errors.get_mut(place) else {
                continue;
            };
            match decode(&message) {
                Some(Event::Result(errno)) => *answer = Some(errno),
                Some(event) => sink(event),
                None => {}
            }
        }
    }

    /// Answers those of the requests at `places` that are not answered.
    pub(super) fn refuse(&mut self, places: Range<usize>, error: &io::Error) {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        for answer in self.errors.iter_mut().take(places.end).skip(places.start) {
            answer.get_or_insert(errno);
        }
    }

    /// The places of the requests that are not answered.
    pub(super) fn missing(&self) -> Vec<usize> {
        let places = self.errors.iter().enumerate();
        places
            .filter(|(_, answer)| answer.is_none())
            .map(|(place, _)| place)
            .collect()
    }

    /// The result of each request. Without an answer it failed for want of room.
    pub(super) fn results(self) -> Vec<io::Result<()>> {
        let result = |answer: Option<i32>| match answer.unwrap_or(libc::ENOBUFS) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        };
        self.errors.into_iter().map(result).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use vrrp_port_kit::KernelIf;

    use super::*;

    fn index(number: u32) -> KernelIf {
        KernelIf::new(number).unwrap()
    }

    /// A batch of `count` requests whose first number is not 1.
    fn batch(count: usize) -> (Requests, Answers) {
        let mut requests = Requests::default();
        delete_link(&mut requests, index(9));
        requests.clear();
        for number in 0..count {
            delete_link(&mut requests, index(number as u32 + 1));
        }
        let answers = Answers::new(&requests);
        (requests, answers)
    }

    /// An answer, as the kernel lays it out (linux/netlink.h): header, errno, header of the request.
    fn answer(sequence: u32, errno: i32) -> Vec<u8> {
        let mut octets = Vec::new();
        octets.extend(36u32.to_ne_bytes());
        octets.extend(NLMSG_ERROR.to_ne_bytes());
        octets.extend([0; 2]);
        octets.extend(sequence.to_ne_bytes());
        octets.extend([0; 4]);
        octets.extend((-errno).to_ne_bytes());
        octets.extend([0; 16]);
        octets
    }

    /// Lets a batch of `count` collect what a socket gives. Returns the results as errno and how
    /// many calls were made.
    fn collect(count: usize, given: Vec<io::Result<Vec<u8>>>) -> (Answers, usize) {
        let (_, mut answers) = batch(count);
        let mut given: VecDeque<_> = given.into();
        let mut calls = 0;
        let receive = |room: &mut [u8]| {
            calls += 1;
            let datagram = given
                .pop_front()
                .unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))?;
            room[..datagram.len()].copy_from_slice(&datagram);
            Ok(datagram.len())
        };
        answers.collect(0..count, &mut [0; 256], receive, &mut |_| {});
        (answers, calls)
    }

    fn errors(answers: Answers) -> Vec<i32> {
        let results = answers.results().into_iter();
        results
            .map(|result| result.map_or_else(|error| error.raw_os_error().unwrap(), |()| 0))
            .collect()
    }

    fn lost() -> io::Result<Vec<u8>> {
        Err(io::Error::from_raw_os_error(libc::ENOBUFS))
    }

    #[test]
    fn a_failure_in_the_middle_is_that_of_its_request() {
        let given = vec![
            Ok(answer(2, 0)),
            Ok(answer(3, libc::EEXIST)),
            Ok(answer(4, 0)),
        ];
        let (answers, calls) = collect(3, given);
        assert_eq!(calls, 3, "nothing is received beyond the last answer");
        assert!(answers.missing().is_empty());
        assert_eq!(errors(answers), [0, libc::EEXIST, 0]);
    }

    #[test]
    fn answers_are_known_by_their_numbers() {
        // Two in one datagram, in another order, with late ones of another batch and a notice.
        let mut notice = answer(3, 0);
        notice[4..6].copy_from_slice(&RTM_NEWADDR.to_ne_bytes());
        let given = vec![
            Ok(answer(1, libc::EPERM)),
            Ok(notice),
            Ok([answer(4, 0), answer(3, libc::ENODEV)].concat()),
            Ok(answer(77, libc::EPERM)),
            Ok(answer(2, 0)),
        ];
        let (answers, _) = collect(3, given);
        assert_eq!(errors(answers), [0, libc::ENODEV, 0]);
    }

    #[test]
    fn an_answer_that_had_no_room_is_missing_and_no_other() {
        let given = vec![Ok(answer(2, 0)), lost(), Ok(answer(5, libc::EEXIST))];
        let (answers, _) = collect(4, given);
        assert_eq!(answers.missing(), [1, 2]);
        // Asked again it is answered, or it failed.
        let mut answers = answers;
        let receive = |room: &mut [u8]| {
            let datagram = answer(3, libc::EADDRNOTAVAIL);
            room[..datagram.len()].copy_from_slice(&datagram);
            Ok(datagram.len())
        };
        answers.collect(1..2, &mut [0; 256], receive, &mut |_| {});
        assert_eq!(
            errors(answers),
            [0, libc::EADDRNOTAVAIL, libc::ENOBUFS, libc::EEXIST]
        );
    }

    #[test]
    fn a_socket_that_loses_for_ever_is_given_up() {
        let (answers, calls) = collect(2, (0..100).map(|_| lost()).collect());
        assert_eq!(calls, MAX_LOSSES + 1);
        assert_eq!(errors(answers), [libc::ENOBUFS; 2]);
    }

    #[test]
    fn an_answer_that_is_cut_short_is_none() {
        for len in 0..20 {
            let given = vec![Ok(answer(2, 0)[..len].to_vec()), Ok(answer(3, 0))];
            let (answers, _) = collect(2, given);
            assert_eq!(answers.missing(), [0], "{len} octets");
        }
    }

    #[test]
    fn an_error_of_the_socket_is_that_of_all_that_are_left() {
        let given = vec![
            Ok(answer(3, 0)),
            Err(io::Error::from_raw_os_error(libc::EBADF)),
        ];
        let (answers, _) = collect(3, given);
        assert_eq!(errors(answers), [libc::EBADF, 0, libc::EBADF]);
    }

    #[test]
    fn numbers_that_wrap_are_told_apart() {
        let (_, mut answers) = batch(3);
        answers.first = u32::MAX;
        for (sequence, errno) in [(1, 3), (0, 2), (u32::MAX, 1)] {
            answers.take(&answer(sequence, errno), &mut |_| {});
        }
        assert_eq!(errors(answers), [1, 2, 3]);
    }

    #[test]
    fn a_part_of_a_batch_is_whole_messages() {
        let (requests, _) = batch(5);
        let sequences = |part: &[u8]| -> Vec<u32> { messages(part).map(|m| m.sequence).collect() };
        assert_eq!(sequences(requests.part(0..2)), [2, 3]);
        assert_eq!(sequences(requests.part(2..5)), [4, 5, 6]);
        assert_eq!(sequences(requests.part(4..9)), [6]);
        assert!(requests.part(5..6).is_empty());
    }
}
