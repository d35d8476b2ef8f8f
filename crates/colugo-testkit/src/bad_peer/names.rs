//! The names of all cases as a macro, so that each is a test of its own in whatever test target plays them.

/// Makes a test of each case: `$check` is called with its name.
///
/// ```ignore
/// fn check(name: &str) { /* open a target, colugo_testkit::bad_peer::check(…) */ }
/// colugo_testkit::each_bad_peer!(check);
/// ```
#[macro_export]
macro_rules! each_bad_peer {
    ($check:path) => {
        $crate::tests_of_bad_peers! { $check =>
            greets_in_three_steps
            speaks_octet_by_octet
            says_all_at_once
            pads_its_greeting_with_noise
            fills_its_greeting_with_noise
            claims_to_be_a_server
            wants_another_mechanism
            wants_a_mechanism_in_lower_case
            hides_octets_behind_the_mechanism
            speaks_3_0
            speaks_3_2
            speaks_4_0
            speaks_2_0
            speaks_1_0
            speaks_http
            speaks_ssh
            speaks_tls
            sends_ones
            says_nothing
            stops_within_its_greeting
            stops_after_its_greeting
            drips
            hangs_up_within_its_greeting
            resets_within_its_greeting
            sends_ready_in_a_long_frame
            sends_ready_as_a_message
            sends_ready_with_more
            sends_a_message_before_ready
            pings_before_ready
            says_hello_of_another_mechanism
            sends_an_empty_command_before_ready
            refuses_with_an_error
            sends_an_error_that_is_cut
            claims_a_long_ready
            claims_a_ready_over_its_bound
            is_of_the_wrong_type
            is_of_an_unknown_type
            tells_no_type
            tells_its_type_in_lower_case
            tells_a_wrong_type_in_lower_case
            has_properties_nobody_knows
            gives_a_property_of_its_own_twice
            gives_its_type_twice
            has_a_property_without_a_name
            has_a_property_with_an_illegal_name
            has_many_properties
            has_long_properties
            ends_within_a_property
            has_a_value_that_is_cut
            claims_a_value_of_4_gib
            has_an_identity_that_begins_with_zero
            has_a_long_identity
            has_a_huge_identity
            takes_the_identity_of_another
            sends_short_bodies_in_long_frames
            sends_empty_messages
            has_a_command_between_the_frames_of_a_message
            hangs_up_within_a_message
            resets_within_a_frame
            sets_a_reserved_flag
            sends_a_command_with_more
            sends_a_message_of_many_frames
            speaks_http_after_the_handshake
            claims_2_31
            claims_2_33
            claims_2_40
            claims_2_63
            claims_2_64
            claims_what_its_header_overflows
            claims_a_long_second_frame
            claims_a_long_command
            sends_a_message_without_end
            is_cut_at_every_octet
            sends_a_command_nobody_knows
            subscribes_at_a_pull
            sends_a_stamp_unannounced
            says_ready_again
            answers_what_was_not_asked
            sends_an_empty_command
            sends_a_command_without_a_name
            sends_a_name_longer_than_its_command
            reports_an_error
            pings
            pings_who_only_sends
            pings_with_a_long_context
            pings_without_a_ttl
            pings_with_a_cut_ttl
            pings_with_a_ttl_of_66_s
            pings_and_never_listens
            subscribes_by_command
            subscribes_by_message_as_3_0_does
            subscribes_by_message_though_3_1
            cancels_once_what_it_subscribed_to_twice
            cancels_what_it_never_subscribed_to
            sends_messages_to_a_pub
            subscribes_to_any_octets
            subscribes_to_a_long_topic
            subscribes_to_a_long_topic_as_3_0_does
            subscribes_to_a_topic_of_10_mib
            subscribes_to_100_000_topics
            subscribes_and_never_listens
            publishes_what_was_not_asked_for
            publishes_in_version_3_0
            counts_subscriptions
            hangs_up_on_an_idle_subscriber
            tells_an_xpub_what_it_wants
            leaves_an_xpub_with_a_subscription
            publishes_to_an_xsub
            asks_without_a_delimiter
            asks_nothing
            asks_in_a_long_envelope
            leaves_before_the_answer
            sends_to_a_push
            sends_frames_of_all_kinds_to_a_dealer
            sends_empty_frames_to_a_router
            answers_without_a_delimiter
            pings_while_the_queue_is_full
            joins_a_pair
            is_a_bad_half_of_a_pair
            hangs_up_when_dialled
            resets_when_dialled
            hangs_up_after_the_handshake
            resets_after_the_handshake
            says_nothing_when_dialled
            claims_2_63_when_dialled
            publishes_2_63
            answers_with_2_63
            sends_a_command_with_more_when_dialled
            speaks_http_when_dialled
            wants_another_mechanism_when_dialled
            is_of_the_wrong_type_when_dialled
            refuses_when_dialled
            has_broken_metadata_when_dialled
        }
    };
}

/// One test a name, and one that looks for cases without a name here.
#[doc(hidden)]
#[macro_export]
macro_rules! tests_of_bad_peers {
    ($check:path => $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $check(stringify!($name));
            }
        )*

        #[test]
        fn no_case_is_left_out() {
            let cases: Vec<&str> = $crate::bad_peer::all().iter().map(|case| case.name).collect();
            assert_eq!(cases, [$(stringify!($name)),*]);
        }
    };
}
